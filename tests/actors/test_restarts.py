from hypothesis import given
from hypothesis import strategies as st

from pulsekeeper.actors.restarts import Backoff, Budget, Restart, RestartLog, Strategy


@given(
    gaps=st.lists(st.floats(0, 4), max_size=40),
    limit=st.integers(0, 5),
    period=st.floats(0.5, 10),
)
def test_the_budget_is_spent_exactly_when_more_than_limit_restarts_lie_within_the_period(
    gaps: list[float], limit: int, period: float
) -> None:
    log = RestartLog(Budget(limit=limit, period=period))
    times: list[float] = []
    for gap in gaps:
        now = (times[-1] if times else 0.0) + gap
        times.append(now)

        within_period = [time for time in times if now - time <= period]

        assert log.allows(now) == (len(within_period) <= limit)


def test_the_default_budget_allows_three_restarts_in_five_seconds_and_not_a_fourth() -> None:
    log = RestartLog(Budget())

    assert [log.allows(now) for now in (0.0, 1.0, 2.0, 5.0)] == [True, True, True, False]


def test_a_restart_is_forgotten_once_it_is_older_than_the_period() -> None:
    log = RestartLog(Budget(limit=1, period=5.0))

    assert [log.allows(now) for now in (0.0, 5.01, 10.02)] == [True, True, True]


def test_the_first_restart_is_immediate_and_the_next_ones_double_up_to_five_seconds() -> None:
    delays = [Backoff().delay(earlier) for earlier in range(10)]

    assert delays == [0.0, 0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0]


def test_a_very_long_series_of_restarts_waits_no_longer_than_the_longest_delay() -> None:
    assert Backoff().delay(100_000) == 5.0


def test_which_ends_are_followed_by_a_restart() -> None:
    applies = {(rule, crashed): rule.applies(crashed=crashed) for rule in Restart for crashed in (True, False)}

    assert applies == {
        (Restart.PERMANENT, True): True,
        (Restart.PERMANENT, False): True,
        (Restart.TRANSIENT, True): True,
        (Restart.TRANSIENT, False): False,
        (Restart.TEMPORARY, True): False,
        (Restart.TEMPORARY, False): False,
    }


def test_who_falls_with_whom() -> None:
    children = "abcd"

    fallen = {strategy: children[strategy.group(children.index("b"))] for strategy in Strategy}

    assert fallen == {Strategy.ONE_FOR_ONE: "b", Strategy.REST_FOR_ONE: "bcd", Strategy.ONE_FOR_ALL: "abcd"}
