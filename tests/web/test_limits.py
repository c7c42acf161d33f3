"""The rate limiter against its definition."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulsekeeper.web.limits import Decision, Limiter, Policy, fields
from pulsekeeper.web.problems import RateLimited

ADDRESS = Policy(name="address", quota=60, window=60.0)
PERSON = Policy(name="person", quota=2, window=10.0)

policies = st.builds(
    lambda quota, window, burst: Policy(name="p", quota=quota, window=window, burst=burst),
    st.integers(1, 20),
    st.floats(0.5, 100),
    st.integers(0, 20),
)
gaps = st.lists(st.floats(0, 20), min_size=1, max_size=60)


def take(limiter: Limiter, key: str, now: float) -> Decision:
    """What a call is told, also when it is refused."""
    try:
        return limiter.admit(key, now)
    except RateLimited:
        return limiter.look(key, now)


def test_the_first_call_leaves_the_rest_of_the_quota() -> None:
    decision = take(Limiter(ADDRESS), "a", 100.0)
    assert (decision.allowed, decision.remaining, decision.reset_after) == (True, 59, 1.0)


def test_a_burst_is_followed_by_one_call_per_interval() -> None:
    limiter = Limiter(ADDRESS)
    assert [take(limiter, "a", 0.0).allowed for _ in range(61)] == [True] * 60 + [False]
    assert [take(limiter, "a", 1.0).allowed for _ in range(2)] == [True, False]


def test_keys_are_counted_apart() -> None:
    limiter = Limiter(Policy(name="p", quota=1, window=60.0))
    assert take(limiter, "a", 0.0).allowed
    assert take(limiter, "b", 0.0).allowed
    assert not take(limiter, "a", 0.0).allowed


@given(policy=policies, waits=gaps)
def test_no_window_has_more_calls_than_quota_and_burst(policy: Policy, waits: list[float]) -> None:
    limiter, now, taken = Limiter(policy), 0.0, []
    for wait in waits:
        now += wait * policy.interval / 4
        while take(limiter, "a", now).allowed:
            taken.append(now)
    most = policy.quota + (policy.burst or policy.quota)
    assert all(sum(start <= at < start + policy.window - 1e-3 for at in taken) <= most for start in taken)


@given(policy=policies, waits=gaps)
def test_retry_after_is_the_truth(policy: Policy, waits: list[float]) -> None:
    limiter, now = Limiter(policy), 1000.0
    for wait in waits:
        now += wait * policy.interval / 10
        decision = take(limiter, "a", now)
        if not decision.allowed:
            assert limiter.look("a", now + decision.retry_after).allowed
            assert decision.retry_after < 1e-3 or not limiter.look("a", now + decision.retry_after - 1e-4).allowed


@given(policy=policies, count=st.integers(1, 30))
def test_remaining_is_the_truth(policy: Policy, count: int) -> None:
    limiter = Limiter(policy)
    decisions = [take(limiter, "a", 5.0) for _ in range(count)]
    following = sum(take(limiter, "a", 5.0).allowed for _ in range(50))
    assert decisions[-1].remaining == following


@given(policy=policies, count=st.integers(1, 30))
def test_after_the_reset_the_whole_burst_is_back(policy: Policy, count: int) -> None:
    limiter = Limiter(policy)
    reset = [take(limiter, "a", 5.0) for _ in range(count)][-1].reset_after
    assert take(limiter, "a", 5.0 + reset).remaining == (policy.burst or policy.quota) - 1


def test_at_the_bound_the_key_that_was_quiet_longest_is_forgotten() -> None:
    limiter = Limiter(Policy(name="p", quota=1, window=1000.0), capacity=3)
    for key in "abca":
        take(limiter, key, 0.0)
    take(limiter, "d", 0.0)
    assert len(limiter) == 3
    assert [limiter.look(key, 0.0).allowed for key in "abcd"] == [False, True, False, False]


def test_keys_with_nothing_to_remember_are_forgotten_on_the_way() -> None:
    limiter = Limiter(ADDRESS)
    for key in range(100):
        take(limiter, str(key), 0.0)
    for _ in range(60):
        take(limiter, "a", 100.0)
    assert len(limiter) == 1


def test_a_refusal_says_by_what_and_until_when_and_costs_nothing() -> None:
    limiter = Limiter(PERSON)
    limiter.admit("ada", 0.0)
    limiter.admit("ada", 0.0)
    for _ in range(2):
        with pytest.raises(RateLimited) as refused:
            limiter.admit("ada", 0.0)
        assert refused.value.retry_after == pytest.approx(5.0)
        assert "this person" in refused.value.detail
        assert ("RateLimit", '"person";r=0;t=10') in refused.value.headers


def test_the_header_fields_are_structured_as_the_draft_has_them() -> None:
    decisions = [Limiter(ADDRESS).admit("1", 0.0), Limiter(PERSON).admit("ada", 0.0)]
    assert fields(decisions) == (
        ("RateLimit-Policy", '"address";q=60;w=60, "person";q=2;w=10'),
        ("RateLimit", '"address";r=59;t=1, "person";r=1;t=5'),
    )
