"""What would somebody see, at some moment, under some rules? The same decision, but nobody is touched by it."""

from datetime import UTC, datetime
from typing import get_args

from pulsekeeper.decisions.rules import checks
from pulsekeeper.decisions.rules.book import RuleBook, compile_book
from pulsekeeper.decisions.rules.deciding import decide
from pulsekeeper.decisions.rules.model import SimulateReply, SimulateRequest, VisitorState
from pulsekeeper.decisions.rules.people import Kind, Person
from pulsekeeper.errors import Fault, Invalid

_FIRST, _LAST = datetime(1970, 1, 1, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC)
_KINDS: dict[str, Kind] = {kind: kind for kind in get_args(Kind)}


def simulate(question: SimulateRequest, book: RuleBook, state: VisitorState | None, now: datetime) -> SimulateReply:
    """Try a decision out. `book`, `state` and `now` stand in for whatever the question leaves open.

    Raises `Invalid` with every fault of the given campaigns and of the moment.
    """
    if faults := [*_campaign_faults(question), *_moment_faults(question)]:
        raise Invalid(f"{faults[0].pointer}: {faults[0].detail}", faults)
    outcome = decide(
        _book(question, book),
        _person(question),
        question.state or state,
        question.request,
        (question.now or now).astimezone(UTC),
    )
    return SimulateReply(
        decisions=outcome.decisions,
        evaluated=outcome.verdicts,
        state_after=outcome.after,
        next_check_in_seconds=outcome.next_check_seconds,
    )


def _book(question: SimulateRequest, book: RuleBook) -> RuleBook:
    if question.campaigns is None and question.releases is None:
        return book
    campaigns = book.parts.campaigns if question.campaigns is None else question.campaigns
    releases = book.parts.releases if question.releases is None else question.releases
    return compile_book(campaigns, releases, book.parts.policy)


def _person(question: SimulateRequest) -> Person:
    kind = _KINDS[question.person.partition(":")[0]]
    return Person(key=question.person, kind=kind, authenticated=question.authenticated, roles=question.roles)


def _campaign_faults(question: SimulateRequest) -> list[Fault]:
    faults = checks.check_all(question.campaigns or ())
    return [Fault(f"/campaigns{fault.pointer}", fault.detail) for fault in faults]


def _moment_faults(question: SimulateRequest) -> list[Fault]:
    if question.now is None or _FIRST <= question.now <= _LAST:
        return []
    return [Fault("/now", "expected a moment between the years 1970 and 9000")]
