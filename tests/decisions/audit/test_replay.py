"""Decisions made again from the log: single ones as values, many of them through a database."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import msgspec
import pytest

from pulsekeeper.decisions.audit.log_store import EVER, BookStore, LogStore
from pulsekeeper.decisions.audit.replay import MOST_DIFFERENCES, Difference, Logged, Replay, replay
from pulsekeeper.decisions.records import Identity, Stored
from pulsekeeper.decisions.rulebook.rule_store import RuleStore
from pulsekeeper.decisions.rules import conditions, offers
from pulsekeeper.decisions.rules.book import RuleBook, open_book
from pulsekeeper.decisions.rules.people import Person
from pulsekeeper.decisions.turns import Wish, take_turn
from pulsekeeper.postgres.database import Database
from pulsekeeper.postgres.queries import inline
from tests.support import decisions
from tests.support.deciders import deciding
from tests.support.decisions import apply
from tests.support.pages import PATIENT, browser, decide_all, user
from tests.support.rules import DAY, NOW, USER, VISITOR, book_of, call, campaign, seen


def logged(book: RuleBook, person: Person = VISITOR, **members: object) -> Logged:
    """A decision about somebody who was here before, as it gets into the log."""
    state = seen(40 * DAY)
    turn = take_turn(
        book,
        Stored(state.version, msgspec.json.encode(state), state.last_seen_at),
        [Wish(person=person, what=call(**members))],
        {},
        NOW,
    )
    assert turn.write is not None
    [row] = turn.write.log
    assert row.state_before is not None
    return Logged(
        decision_id=UUID(row.decision_id),
        decided_at=NOW,
        person_key=person.key,
        identity=msgspec.json.decode(row.identity, type=Identity),
        rule_book=book.hash,
        request=msgspec.Raw(row.request),
        state_before=msgspec.Raw(row.state_before),
        reply=msgspec.Raw(row.reply),
        reasons=msgspec.json.decode(row.reasons, type=dict[str, str]),
    )


def plain(difference: Difference) -> tuple[str, object, object]:
    """The pointer and both values; `...` where there is none."""
    values = [
        ... if isinstance(value, msgspec.UnsetType) else msgspec.json.decode(value)
        for value in (difference.logged, difference.replayed)
    ]
    return difference.pointer, values[0], values[1]


BOOK = book_of(
    campaign("for-organizers", trigger={"segment": {"roles": ["organizer"]}, "requireAuth": True}, priority=2),
    campaign("returning", trigger={"minDaysSinceLastSeen": 30, "when": "visits.total > 1"}, priority=1),
    campaign("half", rollout={"percent": 50}, together=True),
)


@pytest.mark.parametrize("person", [VISITOR, USER], ids=["visitor", "user"])
def test_what_was_decided_is_decided_again(person: Person) -> None:
    row = logged(BOOK, person, featureFlags=["a"], timezone="America/New_York", attributes={"age": 7, "share": 0.5})

    assert replay(open_book(BOOK.content), row) == Replay(identical=True)


def test_another_rule_book_is_found_out_with_every_place_at_which_it_matters() -> None:
    row = logged(BOOK)
    other = book_of(campaign("returning", action="SHOW_BANNER", trigger={"minDaysSinceLastSeen": 30}), campaign("new"))

    result = replay(other, row)

    assert not result.identical
    found = {pointer: (was, now) for pointer, was, now in map(plain, result.differences)}
    assert found["/reply/decisions/0/action"] == ("SHOW_DIALOG", "SHOW_BANNER")
    assert found["/reasons/for-organizers"] == ("needs_auth", ...)
    assert found["/reasons/new"] == (..., "outranked")


def test_a_different_order_is_a_difference_although_nothing_else_is() -> None:
    row = logged(BOOK)
    turned = msgspec.structs.replace(row, reasons=dict(reversed(row.reasons.items())))

    [difference] = replay(BOOK, turned).differences

    assert difference.pointer == "/reasons"


def test_names_in_pointers_are_escaped() -> None:
    row = msgspec.structs.replace(logged(BOOK), reasons={**logged(BOOK).reasons, "a/b~c": "x"})

    assert [plain(each) for each in replay(BOOK, row).differences] == [("/reasons/a~1b~0c", "x", ...)]


def test_no_more_differences_are_told_than_anybody_reads() -> None:
    row = logged(book_of(*(campaign(f"c-{number}") for number in range(2 * MOST_DIFFERENCES))))

    assert len(replay(book_of(), row).differences) == MOST_DIFFERENCES


VERSIONS: tuple[dict[str, Any], ...] = (
    {},
    {"priority": 5, "trigger": {"featureFlags": ["beta"]}},
    {"rollout": {"percent": 30}, "exempt": {"cooldown": True}},
    {"frequency": {"lifetime": 1, "caps": [{"cap": 1, "period": "P1D", "clock": "calendar"}]}, "together": True},
    {"trigger": {"when": "attributes.share > 0.3 && visits.total > 2", "minVisits": 2}},
)
ZONES = ("America/New_York", "Asia/Kathmandu", "Mars/Olympus", None)


def question(number: int) -> dict[str, object]:
    """Pages are not all alike."""
    return {
        "featureFlags": ["beta"] if number % 3 else [],
        "timezone": ZONES[number % len(ZONES)],
        "timezoneOffset": number % 5 * 60 - 120,
        "attributes": {"share": number % 10 / 10, "tags": ["a", "b"], "region": "US-MA"},
        **({"lastClientActionAt": "2026-03-10T13:00:00+02:00"} if number % 7 == 0 else {}),
    }


async def fill_the_log(database: Database) -> None:
    """A thousand decisions about sixty people, some of them users, under five versions of the rules, over five days."""
    now = decisions.NOW
    async with deciding(database, PATIENT, lambda: now) as decider:
        for number, members in enumerate(VERSIONS):
            now = decisions.NOW + number * timedelta(hours=31, minutes=7)
            others = (
                decisions.campaign(f"other-{number}", priority=-number),
                decisions.campaign("fixed", **VERSIONS[2]),
            )
            await apply(RuleStore(database), decisions.campaign("changing", **members), *others)
            people = [
                user(f"u-{each}", f"browser-{each:03}") if each % 4 == number % 4 else browser(f"browser-{each:03}")
                for each in range(60)
            ]
            await decide_all(decider, [(people[each % 60], question(each + number)) for each in range(200)])


async def replays(database: Database) -> list[Replay]:
    books = BookStore(database)
    return [
        replay(await books.book(row.rule_book), row)
        async for page in LogStore(database).pages(EVER, 5000)
        for row in page
    ]


def no_cooldown(*_: object) -> timedelta:
    return timedelta()


def everybody(*_: object) -> float:
    return 0.0


@pytest.mark.parametrize(
    ("module", "name", "changed"),
    [(offers, "cooling_for", no_cooldown), (conditions, "bucket", everybody)],
    ids=["cool-down", "rollout"],
)
async def test_a_thousand_decisions_under_five_versions_of_the_rules_are_made_again_and_a_changed_rule_is_found_out(
    module: object, name: str, changed: Callable[..., object], database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    await fill_the_log(database)

    assert await replays(database) == [Replay(identical=True)] * 1000
    assert await database.fetch_value(inline("select count(distinct rule_book) from decision_log")) == 5
    assert await database.fetch_value(inline("select count(distinct reasons::text) from decision_log")) > 20

    monkeypatch.setattr(module, name, changed)
    assert sum(not result.identical for result in await replays(database)) > 50
