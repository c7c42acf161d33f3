"""Which days have a partition, what it is called, and when it is over."""

from datetime import UTC, date, datetime, timedelta

from pulsekeeper.postgres.partitions import AHEAD, Kept, deleting_stray, dropping, making, missing, name_of, outdated

DECISION_LOG = Kept(table="decision_log", moment="decided_at")
IMPRESSIONS = Kept(table="impressions", moment="happened_at")
NOW = datetime(2026, 3, 1, 23, 30, tzinfo=UTC)
TODAY = date(2026, 3, 1)


def names(*days: date) -> list[str]:
    return ["decision_log_default", *(name_of(DECISION_LOG, day) for day in days)]


def test_today_and_a_week_ahead_are_wanted() -> None:
    assert missing(DECISION_LOG, names(), NOW) == [TODAY + timedelta(days=number) for number in range(AHEAD + 1)]


def test_what_is_there_is_not_made_again() -> None:
    there = [TODAY, *(TODAY + timedelta(days=number) for number in range(2, AHEAD + 1))]

    assert missing(DECISION_LOG, names(*there), NOW) == [TODAY + timedelta(days=1)]


def test_days_are_those_of_utc() -> None:
    assert missing(DECISION_LOG, names(), NOW.astimezone().astimezone(UTC) + timedelta(hours=1))[0] == date(2026, 3, 2)


def test_a_day_is_outdated_when_all_of_it_is() -> None:
    there = names(date(2026, 2, 27), date(2026, 2, 26), TODAY)

    assert outdated(DECISION_LOG, there, datetime(2026, 2, 27, 23, 59, tzinfo=UTC)) == [date(2026, 2, 26)]
    assert outdated(DECISION_LOG, there, datetime(2026, 2, 28, tzinfo=UTC)) == [date(2026, 2, 26), date(2026, 2, 27)]


def test_only_partitions_with_a_day_of_ours_are_dropped() -> None:
    others = ["decision_log_default", "decision_log_old", "decision_log_20260231", "impressions_20200101", "x_20200101"]

    assert outdated(DECISION_LOG, others, NOW) == []
    assert outdated(IMPRESSIONS, others, NOW) == [date(2020, 1, 1)]


def test_a_partition_is_named_by_its_day_and_has_the_bounds_of_utc() -> None:
    script = making(IMPRESSIONS, date(2026, 2, 28))

    assert "partition impressions_20260228" in script
    assert "from ('2026-02-28T00:00:00+00:00') to ('2026-03-01T00:00:00+00:00')" in script
    assert dropping(IMPRESSIONS, date(2026, 2, 28)) == "drop table impressions_20260228"


def test_rows_without_a_day_of_their_own_are_told_by_their_moment() -> None:
    assert "from impressions_default where happened_at < :before limit :limit" in deleting_stray(IMPRESSIONS)
