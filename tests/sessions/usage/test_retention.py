from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from pulsekeeper.sessions.usage.retention import MOST_COLUMNS, Presence, activity_of, cohorts

DAYS = [date(2026, 11, 1) + timedelta(days=number) for number in range(40)]


def test_those_who_come_back_are_counted_in_the_column_in_which_they_do() -> None:
    activity = activity_of([Presence("101", 0), Presence("110", -1), Presence("010", 1)], 3)

    everybody = cohorts(activity.active, activity.active, DAYS, over=2)
    newcomers = cohorts(activity.first, activity.active, DAYS, over=2)

    assert [(each.start.day, each.size, each.active) for each in everybody] == [
        (1, 2, (2, 1, 1)),
        (2, 2, (2, 0)),
        (3, 1, (1,)),
    ]
    assert [(each.size, each.active) for each in newcomers] == [(1, (1, 0, 1)), (1, (1, 0)), (0, (0,))]
    assert activity.people == 3


def test_a_row_whose_last_column_is_not_over_is_marked() -> None:
    activity = activity_of([], 40)

    rows = cohorts(activity.active, activity.active, DAYS, over=39)

    assert [len(row.active) for row in rows[:2]] == [MOST_COLUMNS, MOST_COLUMNS]
    assert [row.complete for row in rows] == [True] * 9 + [False] * 31


@given(st.lists(st.sets(st.integers(0, 9), min_size=1), max_size=20))
def test_it_is_what_sets_say(people: list[set[int]]) -> None:
    activity = activity_of([_presence(places) for places in people], 10)

    for place, row in enumerate(cohorts(activity.active, activity.active, DAYS, over=10)):
        assert row.active == tuple(
            sum({place, place + n} <= places for places in people) for n in range(len(row.active))
        )


def _presence(places: set[int]) -> Presence:
    return Presence("".join("1" if place in places else "0" for place in range(10)), min(places))
