from datetime import UTC, datetime, timedelta

import pytest

from pulsekeeper.decisions.audit.stats import Impressions, ImpressionsQuery, days_of
from pulsekeeper.decisions.audit.stats_store import StatsStore
from pulsekeeper.decisions.rulebook.rule_store import RuleStore
from pulsekeeper.postgres.database import Database
from pulsekeeper.postgres.queries import inline
from pulsekeeper.validation import convert
from tests.support.deciders import deciding
from tests.support.decisions import NOW, apply, campaign
from tests.support.pages import PATIENT, acknowledge, browser, decide

GAP = timedelta(minutes=30)
ADD = inline(
    "insert into impressions (happened_at, person_key, campaign_id, event, release_id)"
    " values (:at, :person, :campaign, :event, :release)"
)


@pytest.fixture
def store(database: Database) -> StatsStore:
    return StatsStore(database)


async def happen(database: Database, at: datetime, person: str, event: str, campaign_id: str = "hello") -> None:
    await database.execute(ADD, at=at, person=person, campaign=campaign_id, event=event, release="1.0")


async def test_events_are_counted_on_the_local_day_on_which_they_happened(
    store: StatsStore, database: Database
) -> None:
    """Around the night in which Paris puts its clocks back: its 26th begins at 22:00 UTC and has 25 hours."""
    for at, person, event in (
        (datetime(2025, 10, 25, 21, 59, tzinfo=UTC), "ann", "offered"),
        (datetime(2025, 10, 25, 22, 0, tzinfo=UTC), "ann", "shown"),
        (datetime(2025, 10, 26, 22, 59, tzinfo=UTC), "bob", "dismissed"),
        (datetime(2025, 10, 26, 23, 0, tzinfo=UTC), "bob", "completed"),
        (datetime(2025, 10, 27, 23, 0, tzinfo=UTC), "too late", "shown"),
    ):
        await happen(database, at, person, event)
    await happen(database, datetime(2025, 10, 26, tzinfo=UTC), "ann", "shown", "another")
    asked = {"campaignId": "hello", "from": "2025-10-25", "to": "2025-10-27", "timezone": "Europe/Paris"}
    days = days_of(convert(asked, ImpressionsQuery, unknown="refuse"), NOW)

    assert await store.impressions("hello", days) == {
        1: Impressions(offered=1, people=1),
        2: Impressions(shown=1, dismissed=1, people=2),
        3: Impressions(completed=1, people=1),
        None: Impressions(offered=1, shown=1, dismissed=1, completed=1, people=2),
    }


async def test_of_a_campaign_that_nothing_became_of_there_is_nothing_but_the_total(store: StatsStore) -> None:
    days = days_of(ImpressionsQuery(campaign_id="none"), NOW)

    assert await store.impressions("none", days) == {None: Impressions()}


async def test_the_news_of_a_release_are_followed_through_decisions_and_reports(
    store: StatsStore, database: Database
) -> None:
    """Four people know the site from before. The news reach three, two of whom answer, one of them at once."""
    announcing = campaign("news", type="release", trigger={"releaseId": "2.0"}, exempt={"cooldown": True})
    now = NOW
    async with deciding(database, PATIENT, lambda: now) as decider:
        people = [browser(f"browser-{number}") for number in range(4)]
        for person in people:
            await decide(decider, person)
        await apply(RuleStore(database), announcing, campaign("other", priority=-1))
        now = NOW + timedelta(days=2)
        for person in people[:3]:
            await decide(decider, person, releaseId="2.0")
        now += timedelta(minutes=29)
        await acknowledge(decider, people[0], "news", "completed")
        await acknowledge(decider, people[2], "news", "shown")
        now += timedelta(minutes=1)
        await acknowledge(decider, people[1], "news", "dismissed")

    release = await store.release("2.0", GAP)

    assert (release.visitors, release.offered, release.shown) == (3, 3, 3)
    assert (release.acknowledged, release.acknowledged_on_first_visit) == (2, 1)
    assert (await store.release("1.0", GAP)).visitors == 4


async def test_a_release_campaign_without_a_release_announces_the_one_that_the_page_runs(
    store: StatsStore, database: Database
) -> None:
    await apply(RuleStore(database), campaign("any", type="release"), campaign("hello"))
    await happen(database, NOW, "ann", "offered", "any")
    await happen(database, NOW, "bob", "offered", "hello")

    assert [(await store.release(each, GAP)).offered for each in ("1.0", "2.0")] == [1, 0]


async def test_of_a_release_that_nobody_knows_all_numbers_are_nought(store: StatsStore) -> None:
    release = await store.release("unheard-of", GAP)

    assert (release.visitors, release.offered, release.acknowledged_on_first_visit) == (0, 0, 0)
