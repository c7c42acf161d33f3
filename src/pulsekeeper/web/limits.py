"""How often somebody may ask: GCRA, the leaky bucket that needs one number per key. Pure: `now` is an argument.

Each call costs `window / quota` seconds of credit, and up to `burst` calls of credit are saved up. So within any
window there are at most `burst + quota` calls, and whoever was quiet may make `burst` of them at once.
"""

import math
from collections.abc import Sequence
from functools import lru_cache
from itertools import islice

import msgspec

from pulsekeeper.web.problems import RateLimited
from pulsekeeper.web.wire import Header

_TOLERANCE = 1e-6
"""Seconds. Covers what adding floats loses, so that whoever waits exactly `retry_after` is let in."""


class Policy(msgspec.Struct, frozen=True, kw_only=True, cache_hash=True):
    """How many calls are allowed, and by whom they are counted."""

    name: str
    """What it is counted by, as clients see it: `address`, `person`."""
    quota: int
    """Calls per window."""
    window: float
    """Seconds."""
    burst: int = 0
    """Calls that may be made at once after a quiet time; 0 stands for the quota."""

    @property
    def interval(self) -> float:
        """Seconds of credit that one call costs."""
        return self.window / self.quota

    @property
    def reach(self) -> float:
        """Seconds of credit that can be saved up."""
        return self.interval * (self.burst or self.quota)


class Decision(msgspec.Struct, frozen=True):
    """What one policy says to one call. The times are in seconds from the call."""

    policy: Policy
    allowed: bool
    remaining: int
    """Further calls that would be allowed right now."""
    retry_after: float
    """When a refused call will be allowed; 0 for one that is allowed."""
    reset_after: float
    """When all the credit will be back."""


class Limiter:
    """One policy, applied to many keys, of which at most `capacity` are remembered.

    Keys are kept as they are given: give opaque ones. At the bound the key that has not asked for the longest time is
    forgotten, which gives it its credit back early; keys whose credit is back anyway are forgotten on the way, so
    memory follows the traffic.
    """

    def __init__(self, policy: Policy, capacity: int = 100_000) -> None:
        self.policy = policy
        self._capacity = capacity
        self._interval, self._reach = policy.interval, policy.reach
        self._full_at: dict[str, float] = {}
        """When each key's credit will be whole again; in the order in which they last asked."""

    def __len__(self) -> int:
        return len(self._full_at)

    def look(self, key: str, now: float) -> Decision:
        """What a call by `key` at `now` (seconds of a monotonic clock) would be told. Changes nothing."""
        interval = self._interval
        full_at = max(self._full_at.get(key, now), now) + interval
        wait = full_at - self._reach - now
        if wait > _TOLERANCE:
            return Decision(self.policy, False, 0, wait, full_at - interval - now)
        return Decision(self.policy, True, int((_TOLERANCE - wait) / interval), 0.0, full_at - now)

    def admit(self, key: str, now: float) -> Decision:
        """Count a call by `key` at `now`. Raises `RateLimited` where it is refused."""
        decision = self.look(key, now)
        self._note(key, decision, now)  # whoever is refused has asked as well, and is not forgotten for it
        if not decision.allowed:
            raise _refused(decision)
        return decision

    def _note(self, key: str, decision: Decision, now: float) -> None:
        """What `look` has just said is what has happened."""
        full_at = self._full_at
        full_at.pop(key, None)
        full_at[key] = now + decision.reset_after
        for oldest in tuple(islice(full_at, 2)):
            if full_at[oldest] <= now or len(full_at) > self._capacity:
                del full_at[oldest]


def _refused(decision: Decision) -> RateLimited:
    return RateLimited(
        f"Too many calls by this {decision.policy.name}.",
        headers=fields((decision,)),
        retry_after=decision.retry_after,
    )


def fields(decisions: Sequence[Decision]) -> tuple[Header, ...]:
    """The `RateLimit-Policy` and `RateLimit` headers (draft-ietf-httpapi-ratelimit-headers) of a reply."""
    states = [f'"{one.policy.name}";r={one.remaining};t={math.ceil(one.reset_after - _TOLERANCE)}' for one in decisions]
    return _announced(tuple([one.policy for one in decisions])), ("RateLimit", ", ".join(states))


@lru_cache(maxsize=64)
def _announced(policies: tuple[Policy, ...]) -> Header:
    """The same in reply after reply: there are as many as the routes have combinations of policies."""
    texts = [f'"{policy.name}";q={policy.quota};w={math.ceil(policy.window)}' for policy in policies]
    return "RateLimit-Policy", ", ".join(texts)
