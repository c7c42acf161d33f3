"""One person across all tables: who it is, what is given out, and that nothing is left of who was erased."""

from collections.abc import Sequence

import msgspec
import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from pulsekeeper.actors.mailbox import Mailbox
from pulsekeeper.decisions.audit import people_store
from pulsekeeper.decisions.audit.dossiers import Totals
from pulsekeeper.decisions.audit.people_store import PeopleStore
from pulsekeeper.decisions.decider import Message
from pulsekeeper.decisions.rulebook.rule_store import RuleStore
from pulsekeeper.decisions.rulebook.salt_store import SaltStore
from pulsekeeper.decisions.rules.model import VisitorState
from pulsekeeper.decisions.rules.people import anonymous_key
from pulsekeeper.postgres.database import Database
from pulsekeeper.postgres.queries import inline
from tests.support.deciders import deciding
from tests.support.decisions import NOW, apply, campaign
from tests.support.pages import PATIENT, acknowledge, browser, decide, user
from tests.support.waiting import until_running

PHONE, LAPTOP, SHARED = "browser-phone", "browser-laptop", "browser-shared"
EVERYTHING = inline(
    "select coalesce(string_agg(everything, ' '), '') from ("
    " select visitors::text as everything from visitors union all select links::text from links"
    " union all select decision_log::text from decision_log union all select impressions::text from impressions"
    " union all select release_visits::text from release_visits) as rows"
)
NOTHING = Totals(states=0, links=0, decisions=0, impressions=0, release_visits=0)


async def key_of(database: Database, visitor_id: str) -> str:
    salts = await SaltStore(database).salts()
    return anonymous_key("visitor", visitor_id, environment=PATIENT.environment, salt=salts.in_force)


async def fill(database: Database) -> None:
    """Ann is here with her phone and her laptop, logs in on both and on a shared browser; so does Bob on that one."""
    await apply(RuleStore(database), campaign("hello"))
    async with deciding(database, PATIENT) as decider:
        for visitor_id in (PHONE, LAPTOP, SHARED, "browser-stranger"):
            await decide(decider, browser(visitor_id))
        await acknowledge(decider, browser(PHONE), "hello", "dismissed")
        for subject, visitor_id in (("ann", PHONE), ("ann", LAPTOP), ("ann", SHARED), ("bob", SHARED)):
            await decide(decider, user(subject, visitor_id))


async def left(database: Database, *keys: str) -> list[str]:
    """Which of these keys are still to be found, anywhere in any table of people."""
    everything: str = await database.fetch_value(EVERYTHING)
    return [key for key in keys if key in everything]


async def persons_of(database: Database, keys: Sequence[str]) -> set[str]:
    return set((await PeopleStore(database).dossier(keys)).person_keys)


async def test_a_user_is_one_person_with_all_their_browsers(database: Database) -> None:
    await fill(database)
    phone, laptop, shared = [await key_of(database, each) for each in (PHONE, LAPTOP, SHARED)]

    assert await persons_of(database, ["user:ann"]) == {"user:ann", phone, laptop, shared}
    assert await persons_of(database, ["user:bob"]) == {"user:bob", shared}


async def test_a_browser_is_its_only_user_and_a_shared_one_is_nobody_but_itself(database: Database) -> None:
    await fill(database)
    phone, laptop, shared = [await key_of(database, each) for each in (PHONE, LAPTOP, SHARED)]
    stranger = await key_of(database, "browser-stranger")

    assert await persons_of(database, [phone]) == {"user:ann", phone, laptop, shared}
    assert await persons_of(database, [shared]) == {shared}
    assert await persons_of(database, [stranger]) == {stranger}


async def test_an_export_has_everything_about_the_person(database: Database) -> None:
    await fill(database)
    phone = await key_of(database, PHONE)

    dossier = await PeopleStore(database).dossier(["user:ann"])

    assert dossier.complete
    assert dossier.totals == Totals(states=4, links=4, decisions=6, impressions=5, release_visits=4)
    assert {state.person_key for state in dossier.states} == set(dossier.person_keys)
    assert {(row.person_key, row.event) for row in dossier.impressions if row.person_key == phone} == {
        (phone, "offered"),
        (phone, "shown"),
        (phone, "dismissed"),
    }
    assert {row.release_id for row in dossier.release_visits} == {"1.0"}
    assert len({row.decision_id for row in dossier.decisions}) == 6
    assert [link.state_before for link in dossier.links if link.anonymous_key == phone] == [None]


@pytest.mark.parametrize("bound", ["MOST_ROWS", "MOST_BYTES"])
async def test_an_export_that_is_not_complete_says_so(
    bound: str, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(people_store, bound, {"MOST_ROWS": 3, "MOST_BYTES": 1500}[bound])
    await fill(database)

    dossier = await PeopleStore(database).dossier(["user:ann"])

    assert not dossier.complete
    assert 0 < len(dossier.decisions) < dossier.totals.decisions == 6


async def test_the_state_is_the_one_under_the_first_key_that_is_known(database: Database) -> None:
    await fill(database)
    store, phone = PeopleStore(database), await key_of(database, PHONE)

    state = await store.state(["visitor:nobody", phone, "user:bob"])

    assert state is not None
    assert (state.person_key, state.campaigns["hello"].dismissed_at) == (phone, NOW)
    assert await store.state(["visitor:nobody"]) is None


async def test_nothing_is_left_of_who_is_erased_and_nobody_else_is_touched(database: Database) -> None:
    await fill(database)
    keys = ["user:ann", *[await key_of(database, each) for each in (PHONE, LAPTOP)]]
    shared, stranger = await key_of(database, SHARED), await key_of(database, "browser-stranger")
    before = await PeopleStore(database).dossier(["user:ann"])

    erased = await PeopleStore(database).erase(["user:ann"])

    assert set(erased.person_keys) == {*keys, shared}
    assert erased.totals == before.totals
    assert await left(database, *keys, "user:bob", stranger) == ["user:bob", stranger]
    assert (await PeopleStore(database).dossier([shared])).totals == NOTHING
    assert (await PeopleStore(database).dossier(["user:bob"])).totals.decisions == 1


async def test_erasing_again_finds_nothing(database: Database) -> None:
    await fill(database)
    store = PeopleStore(database)
    await store.erase(["user:ann"])

    assert (await store.erase(["user:ann"])).totals == NOTHING


async def test_more_rows_than_a_batch_are_erased_together(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(people_store, "_ERASED_AT_ONCE", 2)
    await fill(database)

    erased = await PeopleStore(database).erase(["user:ann"])

    assert (erased.totals.decisions, erased.totals.impressions) == (6, 5)


async def dismissals(decider: Mailbox[Message]) -> list[str]:
    reply = await decide(decider, browser(PHONE))
    return [decision.campaign_id for decision in reply.decisions]


async def test_a_node_that_remembers_who_was_erased_does_not_bring_them_back(database: Database) -> None:
    await apply(RuleStore(database), campaign("hello"))
    async with deciding(database, PATIENT) as decider:
        await decide(decider, browser(PHONE))
        await acknowledge(decider, browser(PHONE), "hello", "dismissed")
        assert await dismissals(decider) == []

        phone = await key_of(database, PHONE)
        await PeopleStore(database).erase([phone])

        assert await dismissals(decider) == ["hello"]
        state = await PeopleStore(database).state([phone])
    assert state is not None
    assert (state.visits.total, state.campaigns["hello"].dismissed_at) == (1, None)


async def test_a_browser_that_was_erased_is_counted_anew_by_its_other_user(database: Database) -> None:
    await fill(database)
    await PeopleStore(database).erase(["user:ann"])

    bob = await PeopleStore(database).state(["user:bob"])

    assert bob is not None
    assert bob.linked == ()
    [row] = await database.fetch(inline("select version, state from visitors where person_key = 'user:bob'"))
    assert row["version"] == bob.version == msgspec.json.decode(row["state"], type=VisitorState).version


async def test_a_browser_that_is_linked_while_its_user_is_being_erased_goes_with_them(database: Database) -> None:
    """The erasure waits for the node that holds the user, and then looks once more who they are."""
    await fill(database)
    stranger = await key_of(database, "browser-stranger")
    link = inline("insert into links (person_key, anonymous_key, linked_at) values ('user:ann', :other, :at)")
    async with trio.open_nursery() as nursery, database.transaction() as node:
        await node.execute(inline("select 1 from visitors where person_key = 'user:ann' for update"))
        nursery.start_soon(PeopleStore(database).erase, ["user:ann"])
        await until_running(database, "%for update%")
        await wait_all_tasks_blocked()
        await node.execute(link, other=stranger, at=NOW)

    assert await left(database, "user:ann", stranger) == []
