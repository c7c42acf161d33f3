from datetime import UTC, date, datetime, timedelta

from pulsekeeper.decisions.audit.partitions import (
    AHEAD,
    DECISION_LOG,
    IMPRESSIONS,
    dropping,
    making,
    missing,
    name_of,
    outdated,
)

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
