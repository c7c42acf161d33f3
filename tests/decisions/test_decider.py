"""The decision actor on a real database; where the database has to misbehave, a store of three methods stands in."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta

import msgspec
import pytest
import trio
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs
from trio.testing import MockClock

from pulsekeeper import errors
from pulsekeeper.actors.mailbox import Mailbox
from pulsekeeper.decisions.decider import Decide, Decider, Message
from pulsekeeper.decisions.numbers import Numbers
from pulsekeeper.decisions.records import Committed, Stored, Write
from pulsekeeper.decisions.rulebook.rule_store import RuleStore
from pulsekeeper.decisions.rulebook.salt_store import SaltStore
from pulsekeeper.decisions.rulebook.shelf import Rules, Shelf
from pulsekeeper.decisions.rules.book import compile_book
from pulsekeeper.decisions.rules.model import DecideRequest, Settings
from pulsekeeper.decisions.rules.people import Asker, Pseudonyms
from pulsekeeper.decisions.store import DecisionStore
from pulsekeeper.postgres.database import Database
from pulsekeeper.postgres.failures import TransactionConflict
from pulsekeeper.postgres.queries import inline
from tests.support.deciders import DEFAULTS, deciding, node, question, report, running, shown
from tests.support.decisions import NOW, apply, campaign, settings

LOG = inline("select person_key, reply, reasons from decision_log order by decision_id")
STATES = inline("select state from visitors order by person_key")


async def test_a_decision_is_in_the_state_and_in_the_log_when_it_is_answered(database: Database) -> None:
    await apply(RuleStore(database), campaign("hello"))

    async with deciding(database) as decider:
        reply = await decider.ref.ask(question())

        [logged] = await database.fetch(LOG)
        [state] = await database.fetch(STATES)
    assert shown(reply) == ["hello"]
    assert logged["reply"] == reply
    assert msgspec.json.decode(logged["reasons"]) == {"hello": "first_visit"}
    assert msgspec.json.decode(state["state"])["campaigns"]["hello"]["offers"] == 1


async def test_neither_the_browsers_id_nor_the_address_is_stored(database: Database) -> None:
    async with deciding(database) as decider:
        await decider.ref.ask(question("visitor-ann-1234"))
        await decider.ref.ask(Decide(Asker(kind="ip", value="192.0.2.77"), DecideRequest(release_id="1.0")))

        stored = repr([await database.fetch(query) for query in (LOG, STATES)])
    assert "visitor-ann-1234" not in stored
    assert "192.0.2.77" not in stored


async def test_what_waits_together_is_committed_together_and_two_tabs_get_one_message(database: Database) -> None:
    await apply(RuleStore(database), campaign("hello"))
    replies: list[bytes] = []

    async def ask(decider: Mailbox[Message]) -> None:
        replies.append(await decider.ref.ask(question()))

    async with deciding(database) as decider, trio.open_nursery() as nursery:
        for _ in range(20):
            nursery.start_soon(ask, decider)

    assert sorted(map(shown, replies)) == [[]] * 19 + [["hello"]]


async def test_two_nodes_never_lose_a_visit_and_never_offer_twice(database: Database) -> None:
    """Each node remembers the visitor; the row's version tells whose memory is stale."""
    of = settings(visit_gap="0s", patience="20s")
    await apply(RuleStore(database), campaign("hello"))
    replies: list[bytes] = []

    async def hammer(decider: Mailbox[Message]) -> None:
        replies.extend([await decider.ref.ask(question()) for _ in range(25)])

    async with deciding(database, of) as first, deciding(database, of) as second, trio.open_nursery() as nursery:
        for decider in (first, second) * 2:
            nursery.start_soon(hammer, decider)

    [state] = await database.fetch(STATES)
    assert msgspec.json.decode(state["state"])["visits"]["total"] == 100
    assert len(await database.fetch(LOG)) == 100
    assert sorted(map(shown, replies)) == [[]] * 99 + [["hello"]]


async def test_a_change_of_the_rules_holds_for_the_very_next_decision(database: Database) -> None:
    """No notice is needed for that: the commit finds out."""
    store = RuleStore(database)
    await apply(store, campaign("hello"))

    async with deciding(database) as decider:
        await apply(store, campaign("hello", active=False))

        assert shown(await decider.ref.ask(question())) == []


async def test_somebody_who_was_erased_begins_anew(database: Database) -> None:
    async with deciding(database) as decider:
        await decider.ref.ask(question())
        await decider.ref.ask(question())
        await database.execute(inline("delete from visitors"))
        await decider.ref.ask(question())

        [state] = await database.fetch(STATES)
    assert msgspec.json.decode(state["state"])["visits"]["total"] == 1


async def test_rules_are_loaded_when_the_schema_is_there_and_until_then_nothing_is_decided(database: Database) -> None:
    ready, loaded = trio.Event(), trio.Event()
    shelf = Shelf(database, Settings(), lambda: NOW, ready, loaded)

    async with running(lambda: node(database, shelf)) as decider:
        with pytest.raises(errors.Unavailable):
            await decider.ref.ask(question())
        ready.set()
        await loaded.wait()

        assert shown(await decider.ref.ask(question())) == []


def as_user(visitor_id: str = "visitor-ann", subject: str = "ann") -> Decide:
    asker = Asker(kind="visitor", value=visitor_id, subject=subject, roles=("organizer",))
    return Decide(asker, DecideRequest(release_id="1.0", visitor_id=visitor_id))


IMPRESSIONS = inline("select event, campaign_id, release_id from impressions order by event")
VISITS = inline("select release_id from release_visits")
LINKS = inline("select person_key, anonymous_key from links")
KEYS = inline("select person_key, (select count(*) from decision_log where person_key = v.person_key) from visitors v")
ALWAYS = {"exempt": {"cooldown": True}, "frequency": {"lifetime": 1}}


async def test_an_offer_its_report_and_the_visit_of_a_release_are_counted(database: Database) -> None:
    await apply(RuleStore(database), campaign("hello"))

    async with deciding(database) as decider:
        await decider.ref.ask(question())
        assert await decider.ref.ask(report("shown"))
        assert await decider.ref.ask(report("shown"))

    rows = [tuple(row) for row in await database.fetch(IMPRESSIONS)]
    assert rows == [("offered", "hello", "1.0"), ("shown", "hello", None)]
    assert [row["release_id"] for row in await database.fetch(VISITS)] == ["1.0"]


async def test_what_one_node_offered_can_be_reported_to_another_that_remembers_better_times(database: Database) -> None:
    """The second node knows the visitor from before the offer."""
    await apply(RuleStore(database), campaign("hello", active=False))

    async with deciding(database) as first, deciding(database) as second:
        await second.ref.ask(question())
        await apply(RuleStore(database), campaign("hello"))
        assert shown(await first.ref.ask(question())) == ["hello"]

        assert await second.ref.ask(report("dismissed"))


async def test_what_was_reported_to_one_node_is_never_shown_by_the_other(database: Database) -> None:
    times = [NOW]
    await apply(RuleStore(database), campaign("hello", **ALWAYS))

    async with deciding(database, now=lambda: times[0]) as first, deciding(database, now=lambda: times[0]) as second:
        assert shown(await first.ref.ask(question())) == ["hello"]
        assert shown(await second.ref.ask(question())) == []
        assert await first.ref.ask(report("shown"))
        times[0] += timedelta(days=30)

        assert shown(await second.ref.ask(question())) == []


async def test_a_report_of_what_was_never_offered_stores_nothing(database: Database) -> None:
    async with deciding(database) as decider:
        assert not await decider.ref.ask(report())

    assert await database.fetch(STATES) == []


async def test_a_user_is_linked_to_their_browser_once_and_keeps_its_answers(database: Database) -> None:
    await apply(RuleStore(database), campaign("hello"))

    async with deciding(database) as decider:
        await decider.ref.ask(question())
        await decider.ref.ask(report("dismissed"))
        replies = [await decider.ref.ask(as_user()) for _ in range(3)]

    assert list(map(shown, replies)) == [[], [], []]
    [link] = await database.fetch(LINKS)
    assert (link["person_key"], link["anonymous_key"][:8]) == ("user:ann", "visitor:")


async def test_a_user_behind_an_address_is_not_linked_to_whoever_else_is_there(database: Database) -> None:
    asker = Asker(kind="ip", value="192.0.2.1")
    async with deciding(database) as decider:
        await decider.ref.ask(Decide(asker, DecideRequest(release_id="1.0")))
        await decider.ref.ask(Decide(msgspec.structs.replace(asker, subject="ann"), DecideRequest(release_id="1.0")))

    assert await database.fetch(LINKS) == []


async def test_a_dismissal_by_the_browser_on_another_node_holds_for_the_user_at_once(database: Database) -> None:
    """The user's node remembers the browser from before the dismissal, and must not trust that."""
    times = [NOW]
    await apply(RuleStore(database), campaign("hello", exempt={"cooldown": True}))

    async with deciding(database, now=lambda: times[0]) as first, deciding(database, now=lambda: times[0]) as second:
        await second.ref.ask(question())
        await second.ref.ask(as_user())
        await first.ref.ask(report("dismissed"))
        times[0] += timedelta(hours=1)

        assert shown(await second.ref.ask(as_user())) == []


async def test_people_are_recognised_across_a_rotation_of_the_salt_with_all_that_is_known(database: Database) -> None:
    await apply(RuleStore(database), campaign("hello"))

    async with deciding(database) as decider:
        await decider.ref.ask(question())
        await decider.ref.ask(as_user())
        before = await database.fetch(KEYS)
        await SaltStore(database).rotate(b"another salt", NOW)
        await decider.ref.ask(question())
        await decider.ref.ask(as_user())
        after = await database.fetch(KEYS)

    assert sorted(row["count"] for row in before) == [1, 1]
    assert sorted(row["count"] for row in after) == [2, 2]
    assert len({row["person_key"] for row in [*before, *after]}) == 3
    [link] = await database.fetch(LINKS)
    assert link["anonymous_key"] in {row["person_key"] for row in after}


async def test_two_nodes_that_meet_somebody_after_a_rotation_move_them_once(database: Database) -> None:
    async with deciding(database) as first, deciding(database) as second:
        await first.ref.ask(question())
        await SaltStore(database).rotate(b"another salt", NOW)
        async with trio.open_nursery() as nursery:
            for decider in (first, second) * 4:
                nursery.start_soon(decider.ref.ask, question())

    [row] = await database.fetch(KEYS)
    assert row["count"] == 9


async def test_a_row_that_nobody_can_read_is_the_misfortune_of_one_person(database: Database) -> None:
    """It once took the actor, its branch and the front down, for as long as that person came back."""
    junk = inline("update visitors set state = '{\"junk\": 1}', version = version + 1")
    async with deciding(database) as decider:
        await decider.ref.ask(question("visitor-ann"))
        await database.execute(junk)
        for _ in range(5):
            with pytest.raises(errors.Unavailable, match="for this person"):
                await decider.ref.ask(question("visitor-ann"))

        assert shown(await decider.ref.ask(question("visitor-bob"))) == []


async def test_an_outage_is_said_once_when_it_begins_and_once_when_it_is_over(autojump_clock: MockClock) -> None:
    store = FlakyStore(errors.Unavailable("gone"), errors.Unavailable("gone"))

    with capture_logs() as logs:
        async with running(flaky(store)) as decider:
            for _ in range(4):
                with suppress(errors.Unavailable):
                    await decider.ref.ask(question())
                await trio.sleep(0.2)

    assert [entry["event"] for entry in logs] == ["database_unavailable", "database_available"]


class FlakyStore(DecisionStore):
    """Commits everything, after it has failed as it was told to."""

    def __init__(self, *failures: Exception | Callable[[], object]) -> None:
        self.failures = list(failures)
        self.commits = 0

    async def recall(self, person_keys: Sequence[str]) -> dict[str, Stored]:
        return {}

    @asynccontextmanager
    async def holding(self, person_keys: Sequence[str]) -> AsyncIterator[tuple[DecisionStore, dict[str, Stored]]]:
        yield self, {}

    async def commit(self, writes: Sequence[Write], *, revision: int, rule_book: str, now: datetime) -> Committed:
        self.commits += 1
        if self.failures:
            failure = self.failures.pop(0)
            if isinstance(failure, Exception):
                raise failure
            await trio.sleep_forever()
        return Committed(is_current=True, saved=frozenset(write.person_key for write in writes))


def standing_shelf() -> Shelf:
    """A shelf with rules on it that nobody changes."""

    class Standing(Shelf):
        def __init__(self) -> None:
            book = compile_book([campaign("hello")], [], Settings().policy())
            self.rules = Rules(revision=0, book=book, in_force=Pseudonyms("test", b"salt"), previous=None)

        async def keep_current(self) -> None:
            await trio.sleep_forever()

    return Standing()


def flaky(store: FlakyStore, of: Settings = DEFAULTS) -> Callable[[], Decider]:
    return lambda: Decider(store, standing_shelf(), of, lambda: NOW, Numbers(CollectorRegistry()))


async def test_an_outage_is_an_answer_and_not_a_crash_and_is_over_by_itself(autojump_clock: MockClock) -> None:
    store = FlakyStore(errors.Unavailable("gone"))

    async with running(flaky(store)) as decider:
        with pytest.raises(errors.Unavailable, match="gone"):
            await decider.ref.ask(question())
        await trio.sleep(0.2)

        assert shown(await decider.ref.ask(question())) == ["hello"]


async def test_right_after_an_outage_the_database_is_left_alone(autojump_clock: MockClock) -> None:
    store = FlakyStore(errors.Unavailable("gone"))

    async with running(flaky(store)) as decider:
        for _ in range(5):
            with pytest.raises(errors.Unavailable):
                await decider.ref.ask(question())

    assert store.commits == 1


async def test_a_database_that_hangs_is_given_up_after_the_patience(autojump_clock: MockClock) -> None:
    store = FlakyStore(lambda: None)

    async with running(flaky(store, settings(patience="3s"))) as decider:
        before = trio.current_time()
        with pytest.raises(errors.Unavailable, match="too slow"):
            await decider.ref.ask(question())

    assert trio.current_time() - before == pytest.approx(3.0)


async def test_a_deadlock_is_tried_again(autojump_clock: MockClock) -> None:
    store = FlakyStore(TransactionConflict("deadlock"), TransactionConflict("deadlock"))

    async with running(flaky(store)) as decider:
        assert shown(await decider.ref.ask(question())) == ["hello"]


async def test_a_question_that_always_loses_is_given_up_in_the_end(autojump_clock: MockClock) -> None:
    store = FlakyStore(*[TransactionConflict("deadlock")] * 1000)

    async with running(flaky(store)) as decider:
        with pytest.raises(errors.Unavailable):
            await decider.ref.ask(question())

    assert store.commits == 5


async def test_an_asker_who_gave_up_is_not_decided_again(autojump_clock: MockClock) -> None:
    store = FlakyStore(lambda: None)

    async with running(flaky(store)) as decider:
        with trio.move_on_after(timedelta(milliseconds=80).total_seconds()):
            await decider.ref.ask(question())
        await trio.sleep(10)

    assert store.commits == 1


async def test_what_is_committed_after_its_asker_gave_up_has_not_been_made_again(autojump_clock: MockClock) -> None:
    """A page waits for 80 ms; a decision that comes later is one all the same."""

    class Slow(FlakyStore):
        async def commit(self, writes: Sequence[Write], *, revision: int, rule_book: str, now: datetime) -> Committed:
            await trio.sleep(1)
            return await super().commit(writes, revision=revision, rule_book=rule_book, now=now)

    registry = CollectorRegistry()
    numbers = Numbers(registry)

    async with running(lambda: Decider(Slow(), standing_shelf(), DEFAULTS, lambda: NOW, numbers)) as decider:
        with trio.move_on_after(timedelta(milliseconds=80).total_seconds()):
            await decider.ref.ask(question())
        await trio.sleep(10)

    assert registry.get_sample_value("pulsekeeper_decisions_committed_total") == 1
    assert registry.get_sample_value("pulsekeeper_decisions_repeated_total") == 0
