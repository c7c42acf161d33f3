"""One person, and what they asked and reported together: each is decided on what the one before it left behind."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from pulsekeeper.decisions.records import Identity, Impression, Link, LogRow, Stored, Write
from pulsekeeper.decisions.rules.acks import AckRequest, acknowledge
from pulsekeeper.decisions.rules.acks import Outcome as AckOutcome
from pulsekeeper.decisions.rules.book import RuleBook
from pulsekeeper.decisions.rules.deciding import Outcome, decide
from pulsekeeper.decisions.rules.merging import merge
from pulsekeeper.decisions.rules.model import DecideReply, DecideRequest, VisitorState
from pulsekeeper.decisions.rules.people import Person
from pulsekeeper.ids import uuid7_text

_encoder = msgspec.json.Encoder()
_states = msgspec.json.Decoder(VisitorState)


class Wish(Struct, frozen=True, kw_only=True, gc=False):
    """One thing that a person asks or reports."""

    person: Person
    """All wishes of a turn have the same key; what a token vouches for may differ from call to call."""
    what: DecideRequest | AckRequest
    anonymous_key: str | None = None
    """The key under which the browser of a user is known when nobody is logged in."""
    explain: bool = False
    """Whether the reply says what became of every campaign."""


Answer = bytes | bool
"""To a question, the reply as JSON; to a report, whether there was such an offer."""


class Turn(Struct, frozen=True):
    """The answers, in order, and what has to be committed before they may be given; `None` when nothing has."""

    answers: Sequence[Answer]
    write: Write | None
    outcomes: Sequence[Outcome] = ()
    """The decisions among them, for the statistics."""


def take_turn(
    book: RuleBook, stored: Stored, wishes: Sequence[Wish], anonymous: Mapping[str, Stored], now: datetime
) -> Turn:
    """Grant the wishes of one person, at least one. `anonymous` has the rows of their anonymous keys that exist."""
    story = _Story(book, wishes[0].person.key, stored, now)
    answers = [story.go_on(wish, anonymous) for wish in wishes]
    return Turn(answers, story.write(), story.outcomes)


def encode_reply(decision_id: UUID | str, outcome: Outcome, *, explain: bool = False) -> bytes:
    """A decision as it is answered. The log keeps it without the explanation, which it can make again."""
    return _encoder.encode(
        DecideReply(
            decision_id=str(decision_id),
            release_status=outcome.release_status,
            decisions=outcome.decisions,
            next_check_in_seconds=outcome.next_check_seconds,
            evaluated=outcome.verdicts if explain else None,
        )
    )


class _Story:
    """What becomes of one person in the course of a turn."""

    def __init__(self, book: RuleBook, key: str, stored: Stored, now: datetime) -> None:
        self._book = book
        self._key = key
        self._stored = stored
        self._now = now
        self._encoded = stored.state
        self._state = None if stored.state is None else _states.decode(stored.state)
        self._log: list[LogRow] = []
        self._impressions: list[Impression] = []
        self._links: list[Link] = []
        self._releases: list[str] = []
        self._visited = None if self._state is None else self._state.last_release_visited
        self.outcomes: list[Outcome] = []

    def go_on(self, wish: Wish, anonymous: Mapping[str, Stored]) -> Answer:
        key = wish.anonymous_key
        if key is not None and key in anonymous:
            self._merge(key, anonymous[key])
        what = wish.what
        answer = self._acknowledge(what) if isinstance(what, AckRequest) else self._decide(wish, what)
        if key is not None:
            self._link(key)
        return answer

    def write(self) -> Write | None:
        if self._state is None or self._encoded is None or self._state.version == self._stored.version:
            return None
        return Write(
            person_key=self._key,
            seen_version=self._stored.version,
            seen_last_seen_at=self._stored.last_seen_at,
            new_version=self._state.version,
            last_seen_at=self._state.last_seen_at,
            state=self._encoded,
            log=self._log,
            impressions=self._impressions,
            links=self._links,
            releases_visited=self._releases,
        )

    def _become(self, state: VisitorState) -> None:
        self._state, self._encoded = state, _encoder.encode(state)

    def _link(self, key: str) -> None:
        """Remember a browser of which nothing is known yet: what it does when nobody is logged in is this person's."""
        state = self._state
        if state is None or key in state.linked:
            return
        version = state.version + (state.version == self._stored.version)
        self._links.append(Link(anonymous_key=key, state_before=self._encoded, anonymous_state=None))
        self._become(replace(state, linked=tuple(sorted({*state.linked, key})), version=version))

    def _merge(self, key: str, stored: Stored) -> None:
        """Know of a user what was known of their browser. Visits are counted once; answers are taken over each time."""
        if stored.state is None:
            return
        before, browser = self._state, _states.decode(stored.state)
        if before is None:
            self._become(replace(browser, linked=(key,), version=0))
        else:
            merged = merge(self._key, before, key, browser, self._book.terms.releases)
            merged = replace(merged, linked=tuple(each for each in merged.linked if each != self._key))
            if merged != replace(before, version=merged.version):
                self._become(replace(merged, version=before.version + 1))
        if before is None or key not in before.linked:
            was = None if before is None else _encoder.encode(before)
            self._links.append(Link(anonymous_key=key, state_before=was, anonymous_state=stored.state))

    def _decide(self, wish: Wish, request: DecideRequest) -> bytes:
        before, encoded = self._state, self._encoded
        outcome, decision_id = decide(self._book, wish.person, before, request, self._now), uuid7_text(self._now)
        self._become(outcome.after)
        reply = encode_reply(decision_id, outcome)
        self._log.append(
            LogRow(
                decision_id=decision_id,
                identity=_encoder.encode(_identity(wish.person)),
                request=_encoder.encode(replace(request, visitor_id=None)),  # the log knows pseudonyms only
                state_before=encoded,
                reply=reply,
                reasons=outcome.findings.reasons,
            )
        )
        self._note(outcome, request.release_id, decision_id)
        return encode_reply(decision_id, outcome, explain=True) if wish.explain else reply

    def _note(self, outcome: Outcome, running: str, decision_id: str) -> None:
        """What the statistics count."""
        self.outcomes.append(outcome)
        for shown in outcome.decisions:
            offer = Impression(
                campaign_id=shown.campaign_id, event="offered", release_id=running, decision_id=decision_id
            )
            self._impressions.append(offer)
        visited = outcome.after.last_release_visited
        if visited is not None and visited != self._visited:
            self._releases.append(visited)
            self._visited = visited

    def _acknowledge(self, ack: AckRequest) -> bool:
        before, after = self._state, acknowledge(self._book, self._state, ack, self._now)
        if before is None or after is None:
            return False
        if after is not before:
            self._become(after)
            was, now = before.campaigns[ack.campaign_id], after.campaigns[ack.campaign_id]
            if len(now.shown_at) > len(was.shown_at):  # whatever is reported first says that it was on the screen
                self._impress("shown", ack)
            if ack.outcome != "shown":
                self._impress(ack.outcome, ack)
        return True

    def _impress(self, event: AckOutcome, ack: AckRequest) -> None:
        impression = Impression(
            campaign_id=ack.campaign_id, event=event, release_id=ack.release_id, decision_id=_uuid(ack.decision_id)
        )
        self._impressions.append(impression)


def _identity(person: Person) -> Identity:
    return Identity(key=person.key, kind=person.kind, authenticated=person.authenticated, roles=person.roles)


def _uuid(text: str | None) -> str | None:
    try:
        return None if text is None else str(UUID(text))
    except ValueError:
        return None
