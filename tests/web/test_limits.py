"""The rate limiter against its definition."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulsekeeper.web.limits import Limiter, Policy, admit, fields
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


def test_the_first_call_leaves_the_rest_of_the_quota() -> None:
    decision = Limiter(ADDRESS).take("a", 100.0)
    assert (decision.allowed, decision.remaining, decision.reset_after) == (True, 59, 1.0)


def test_a_burst_is_followed_by_one_call_per_interval() -> None:
    limiter = Limiter(ADDRESS)
    assert [limiter.take("a", 0.0).allowed for _ in range(61)] == [True] * 60 + [False]
    assert [limiter.take("a", 1.0).allowed for _ in range(2)] == [True, False]


def test_keys_are_counted_apart() -> None:
    limiter = Limiter(Policy(name="p", quota=1, window=60.0))
    assert limiter.take("a", 0.0).allowed
    assert limiter.take("b", 0.0).allowed
    assert not limiter.take("a", 0.0).allowed


@given(policy=policies, waits=gaps)
def test_no_window_has_more_calls_than_quota_and_burst(policy: Policy, waits: list[float]) -> None:
    limiter, now, taken = Limiter(policy), 0.0, []
    for wait in waits:
        now += wait * policy.interval / 4
        while limiter.take("a", now).allowed:
            taken.append(now)
    most = policy.quota + (policy.burst or policy.quota)
    assert all(sum(start <= at < start + policy.window - 1e-3 for at in taken) <= most for start in taken)


@given(policy=policies, waits=gaps)
def test_retry_after_is_the_truth(policy: Policy, waits: list[float]) -> None:
    limiter, now = Limiter(policy), 1000.0
    for wait in waits:
        now += wait * policy.interval / 10
        decision = limiter.take("a", now)
        if not decision.allowed:
            assert limiter.look("a", now + decision.retry_after).allowed
            assert decision.retry_after < 1e-3 or not limiter.look("a", now + decision.retry_after - 1e-4).allowed


@given(policy=policies, count=st.integers(1, 30))
def test_remaining_is_the_truth(policy: Policy, count: int) -> None:
    limiter = Limiter(policy)
    decisions = [limiter.take("a", 5.0) for _ in range(count)]
    following = sum(limiter.take("a", 5.0).allowed for _ in range(50))
    assert decisions[-1].remaining == following


@given(policy=policies, count=st.integers(1, 30))
def test_after_the_reset_the_whole_burst_is_back(policy: Policy, count: int) -> None:
    limiter = Limiter(policy)
    reset = [limiter.take("a", 5.0) for _ in range(count)][-1].reset_after
    assert limiter.take("a", 5.0 + reset).remaining == (policy.burst or policy.quota) - 1


def test_at_the_bound_the_key_that_was_quiet_longest_is_forgotten() -> None:
    limiter = Limiter(Policy(name="p", quota=1, window=1000.0), capacity=3)
    for key in "abca":
        limiter.take(key, 0.0)
    limiter.take("d", 0.0)
    assert len(limiter) == 3
    assert [limiter.look(key, 0.0).allowed for key in "abcd"] == [False, True, False, False]


def test_keys_with_nothing_to_remember_are_forgotten_on_the_way() -> None:
    limiter = Limiter(ADDRESS)
    for key in range(100):
        limiter.take(str(key), 0.0)
    for _ in range(60):
        limiter.take("a", 100.0)
    assert len(limiter) == 1


@given(policy=policies, waits=gaps)
def test_one_policy_alone_admits_as_several_do(policy: Policy, waits: list[float]) -> None:
    alone, among, now = Limiter(policy), Limiter(policy), 0.0
    for wait in waits:
        now += wait * policy.interval / 4
        assert told(alone, now, is_alone=True) == told(among, now, is_alone=False)


def told(limiter: Limiter, now: float, *, is_alone: bool) -> object:
    """The decision, or what is said instead of it."""
    try:
        return (limiter.admit("a", now),) if is_alone else admit([(limiter, "a")], now)
    except RateLimited as refused:
        return refused.detail, refused.headers, refused.retry_after


def test_a_refusal_by_one_policy_costs_nothing_under_the_other() -> None:
    by_address, by_person = Limiter(ADDRESS), Limiter(PERSON)
    asked = [(by_address, "1"), (by_person, "ada")]
    admit(asked, 0.0)
    admit(asked, 0.0)
    with pytest.raises(RateLimited) as refused:
        admit(asked, 0.0)
    assert by_address.look("1", 0.0).remaining == 57
    assert refused.value.retry_after == pytest.approx(5.0)
    assert "this person" in refused.value.detail
    assert ("RateLimit", '"address";r=58;t=2, "person";r=0;t=10') in refused.value.headers


def test_the_header_fields_are_structured_as_the_draft_has_them() -> None:
    decisions = admit([(Limiter(ADDRESS), "1"), (Limiter(PERSON), "ada")], 0.0)
    assert fields(decisions) == (
        ("RateLimit-Policy", '"address";q=60;w=60, "person";q=2;w=10'),
        ("RateLimit", '"address";r=59;t=1, "person";r=1;t=5'),
    )
