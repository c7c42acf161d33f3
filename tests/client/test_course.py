"""What the client does next, without a network: a made-up service answers it."""

import random
from collections import Counter
from collections.abc import Mapping
from math import inf
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pulsekeeper.client.answers import Done, Forbidden, Later, Meaning, Refused, SessionLost, TooLarge
from pulsekeeper.client.course import MOST_TRIES, Course
from pulsekeeper.client.model import MOST_EVENTS, Kind, Pause, Receipt, Refusal, Session
from pulsekeeper.client.outcomes import NOTHING

SESSION = Session(session_id=UUID(int=1), token="token", installation_id=UUID(int=2), still_alive_seconds=60)


def course(*, ceiling: float = 1.0) -> Course:
    """One that waits two seconds for company, and whose jitter is always the whole pause, or a part of it."""
    return Course(lambda top: top * ceiling, 2.0)


def in_session(now: float = 0.0) -> Course:
    """One whose session has begun."""
    one = course()
    assert one.next(now, 0) is Kind.START
    one.hear(Kind.START, SESSION, now)
    return one


def receipt(accepted: int, *refused: str) -> Receipt:
    """The first are accepted, the others refused."""
    rejected = tuple(Refusal(accepted + place, reason) for place, reason in enumerate(refused))
    return Receipt(accepted=accepted, duplicates=0, rejected=rejected)


def test_it_starts_at_once_and_says_that_it_is_alive_as_often_as_it_was_told() -> None:
    one = in_session()
    assert one.next(0, 0) == Pause(60)
    assert one.next(60, 0) is Kind.STILL_ALIVE
    one.hear(Kind.STILL_ALIVE, Done(), 61)
    assert one.next(61, 0) == Pause(60)


def test_events_wait_for_company_but_not_for_long() -> None:
    one = in_session()
    assert one.next(10, 1) == Pause(2)
    assert one.next(11, 3) == Pause(1)
    assert one.next(12, 3) is Kind.INGEST


def test_a_full_batch_goes_at_once() -> None:
    assert in_session().next(10, MOST_EVENTS) is Kind.INGEST
    assert in_session().next(10, 20, 1_000_000) is Kind.INGEST


def test_events_are_a_sign_of_life() -> None:
    one = in_session()
    one.hear(Kind.INGEST, receipt(1), 30, 1)
    assert one.next(30, 0) == Pause(60)


def test_events_that_are_refused_are_settled_and_counted() -> None:
    outcome = in_session().hear(Kind.INGEST, receipt(2, "pii_key", "bad_name", "pii_key"), 0, 5)
    assert outcome.settled == (0, 1, 2, 3, 4)
    assert outcome.acknowledged == 2
    assert outcome.rejected == Counter(pii_key=2, bad_name=1)


def test_events_that_are_only_in_the_wrong_session_go_with_another() -> None:
    one = in_session()
    outcome = one.hear(Kind.INGEST, receipt(1, "too_late", "bad_name", "unknown_session"), 0, 4)
    assert outcome.settled == (0, 2)
    assert outcome.rejected == Counter(bad_name=1)
    assert one.next(1, 2) is Kind.START


def test_a_session_that_was_good_is_replaced_at_once_and_one_that_never_was_after_a_pause() -> None:
    one = in_session()
    one.hear(Kind.STILL_ALIVE, Done(), 60)
    one.hear(Kind.STILL_ALIVE, SessionLost(), 120)
    assert one.next(120, 0) is Kind.START
    one.hear(Kind.START, SESSION, 120)
    one.hear(Kind.STILL_ALIVE, SessionLost(), 180)
    assert one.next(180, 0) == Pause(1)
    assert one.next(181, 0) is Kind.START


def test_pauses_grow_and_end_with_a_success() -> None:
    one = in_session()
    one.hear(Kind.INGEST, Later(), 0, 1)
    assert one.next(0, 600) == Pause(1)
    one.hear(Kind.INGEST, Later(), 1, 1)
    assert one.next(1, 600) == Pause(2)
    one.hear(Kind.INGEST, Later(30), 3, 1)
    assert one.next(3, 600) == Pause(34)
    one.hear(Kind.INGEST, receipt(1), 37, 1)
    assert one.next(37, 600) is Kind.INGEST
    assert one.failures == 0


def test_a_call_that_is_too_large_is_halved_until_one_event_is_left_and_that_is_dropped() -> None:
    one = in_session()
    limits = []
    while (size := one.batch_limit) > 1:
        assert one.hear(Kind.INGEST, TooLarge(), 0, size) == NOTHING
        limits.append(one.batch_limit)
    assert limits == [250, 125, 62, 31, 15, 7, 3, 1]
    outcome = one.hear(Kind.INGEST, TooLarge(), 0, 1)
    assert outcome.settled == (0,)
    assert outcome.dropped == Counter(too_large=1)
    one.hear(Kind.INGEST, receipt(1), 0, 1)
    assert one.batch_limit == 2


def test_a_batch_that_is_refused_is_dropped_in_the_end() -> None:
    one = in_session()
    for _ in range(MOST_TRIES - 1):
        assert one.hear(Kind.INGEST, Refused(422), 0, 3) == NOTHING
    assert one.hear(Kind.INGEST, Refused(422), 0, 3).dropped == Counter(refused=3)


@pytest.mark.parametrize("kind", [Kind.START, Kind.INGEST, Kind.STILL_ALIVE])
def test_without_consent_there_is_nothing_to_do_ever(kind: Kind) -> None:
    one = in_session()
    one.hear(kind, Forbidden("consent_withdrawn"), 0, 1)
    assert one.next(1_000_000, 100_000) == Pause(inf)
    one.finish(1_000_001)
    assert one.next(1_000_000, 100_000) is None


def test_a_withdrawal_goes_before_everything_and_is_told_until_it_is_heard() -> None:
    one = in_session()
    one.hear(Kind.INGEST, Later(600), 0, 1)
    one.withdraw(None)
    assert one.next(0, 5) is Kind.WITHDRAW
    assert one.token == "token"
    one.hear(Kind.WITHDRAW, Later(), 0)
    assert one.next(1000, 5) is Kind.WITHDRAW
    one.hear(Kind.WITHDRAW, Done(), 1000)
    assert one.next(1001, 5) == Pause(inf)
    assert one.token is None


def test_a_session_that_begins_just_after_a_withdrawal_is_withdrawn_as_well() -> None:
    one = course()
    assert one.next(0, 0) is Kind.START
    one.withdraw(None)
    one.hear(Kind.START, SESSION, 1)
    assert one.next(1, 0) is Kind.WITHDRAW


def test_who_agrees_again_starts_again_after_the_withdrawal_was_told() -> None:
    one = in_session()
    one.withdraw(None)
    one.agree()
    assert one.next(0, 0) is Kind.WITHDRAW
    one.hear(Kind.WITHDRAW, Done(), 0)
    assert one.next(0, 0) is Kind.START


def test_a_withdrawal_that_nobody_can_hear_is_over() -> None:
    one = course()
    one.withdraw("an old token")
    one.hear(Kind.WITHDRAW, SessionLost(), 0)
    assert one.next(0, 0) == Pause(inf)


def test_the_end_sends_what_waits_and_says_goodbye() -> None:
    one = in_session()
    one.finish(2)
    assert one.next(0, 3) is Kind.INGEST
    one.hear(Kind.INGEST, receipt(3), 0, 3)
    assert one.next(0, 0) is Kind.END
    one.hear(Kind.END, Done(), 0)
    assert one.next(0, 0) is None


def test_the_end_starts_a_session_only_for_events() -> None:
    one = course()
    one.finish(2)
    assert one.next(0, 0) is None
    assert one.next(0, 1) is Kind.START


def test_the_end_does_not_wait_for_a_service_that_was_not_there() -> None:
    one = course()
    one.finish(2)
    assert one.next(0, 1) is Kind.START
    one.hear(Kind.START, Later(), 0)
    assert one.next(0, 1) is None


def test_the_end_has_an_end() -> None:
    one = in_session()
    one.finish(2)
    one.hear(Kind.INGEST, Later(), 0, 3)
    assert one.next(0, 3) == Pause(1)
    one.hear(Kind.INGEST, Later(), 1, 3)
    assert one.next(1, 3) is None


TROUBLES: Mapping[str, Meaning] = {
    "later": Later(5),
    "session": SessionLost(),
    "large": TooLarge(),
    "refused": Refused(422),
}
MOODS = st.sampled_from(["well", "well", "well", "lost_answer", *TROUBLES])


class World:
    """A service that answers as it likes, and the queue: what the course must keep in order between them."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)  # noqa: S311  # a test's dice
        self.course = Course(lambda top: self.random.uniform(0, top), 2.0)
        self.now = 0.0
        self.queue: list[int] = []
        self.made = 0
        self.stored: set[int] = set()
        self.acknowledged: set[int] = set()
        self.gone: Counter[str] = Counter()

    def add(self, events: int) -> None:
        """So many more."""
        self.queue += range(self.made, self.made + events)
        self.made += events

    def step(self, mood: str) -> None:
        """One call, or a pause."""
        step = self.course.next(self.now, len(self.queue))
        assert step is not None
        if isinstance(step, Pause):
            assert step.seconds > 0
            self.now += min(step.seconds, 600)
            return
        batch = self.queue[: self.course.batch_limit] if step is Kind.INGEST else []
        assert not self.acknowledged & set(batch)
        outcome = self.course.hear(step, self._answer(step, batch, mood), self.now, len(batch))
        settled = [batch[place] for place in outcome.settled]
        self.queue = [one for one in self.queue if one not in set(settled)]
        self.gone["acknowledged"] += outcome.acknowledged
        self.gone["duplicates"] += outcome.duplicates
        self.gone["rejected"] += outcome.rejected.total()
        self.gone["dropped"] += outcome.dropped.total()

    def _answer(self, kind: Kind, batch: list[int], mood: str) -> Meaning:
        if mood == "lost_answer":
            self.stored |= set(batch)
            return Later()
        if mood != "well":
            return TROUBLES[mood]
        if kind is Kind.START:
            return SESSION
        return self._receipt(batch) if kind is Kind.INGEST else Done()

    def _receipt(self, batch: list[int]) -> Receipt:
        refused = [place for place in range(len(batch)) if self.random.random() < 0.1]
        reasons = [self.random.choice(["bad_name", "too_late"]) for _ in refused]
        good = {one for place, one in enumerate(batch) if place not in refused}
        duplicates = len(good & self.stored)
        self.stored |= good
        self.acknowledged |= good
        rejected = tuple(Refusal(place, reason) for place, reason in zip(refused, reasons, strict=True))
        return Receipt(accepted=len(good) - duplicates, duplicates=duplicates, rejected=rejected)


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 2**32), st.lists(st.tuples(st.integers(0, 700), MOODS), max_size=60))
def test_nothing_acknowledged_is_sent_again_and_nothing_else_forgotten_without_being_counted(
    seed: int, days: list[tuple[int, str]]
) -> None:
    world = World(seed)
    for events, mood in days:
        world.add(events if world.made < 3000 else 0)
        world.step(mood)
        assert world.gone.total() + len(world.queue) == world.made
    for _ in range(300):  # bounded: when the service is well again, all of it gets through
        world.step("well")
    assert not world.queue
    assert world.gone["acknowledged"] + world.gone["duplicates"] == len(world.acknowledged)
    assert world.gone.total() == world.made
