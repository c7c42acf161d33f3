"""Which release is the newer one."""

from datetime import datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulsekeeper.decisions.rules.campaigns import Release
from pulsekeeper.decisions.rules.releases import Releases, parts
from tests.support.rules import DAY, NOW

NONE = Releases(())


def releases(**ages: timedelta) -> Releases:
    """Releases by how long ago each came out."""
    return Releases(Release(id=key.replace("_", "."), released_at=NOW - age) for key, age in ages.items())


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        ("2025.9.30", "2025.10.1"),
        ("2025.10.1", "2025.10.10"),
        ("9", "10"),
        ("1.2", "1.2.1"),
        ("1.2-rc1", "1.2"),
        ("1.2.0-rc.1", "1.2.0-rc.2"),
        ("1.2.0-rc.2", "1.2.0-rc.10"),
        ("1.2-alpha", "1.2-beta"),
        ("1.2-beta", "1.2-RC"),
        ("1.2rc1", "1.2"),
        ("1.2-rc1", "1.2.1-rc1"),
        ("v1.9", "1.10"),
        ("2025-09-30", "2025-10-01"),
        ("1.9.9", "v2"),
        ("main", "1"),
        ("1.0.0-a", "1.0.1"),
    ],
)
def test_parts_compare_as_numbers_and_words_come_before_the_end(older: str, newer: str) -> None:
    assert NONE.is_newer(newer, older)
    assert not NONE.is_newer(older, newer)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("1.2", "1.2.0"),
        ("v1.2", "1.2"),
        ("V1.2", "1.2"),
        ("1.02", "1.2"),
        ("1.2+build.5", "1.2"),
        ("1.0-rc1", "1-RC1"),
        ("2025-10-1", "2025.10.01"),
    ],
)
def test_the_same_release_may_be_written_in_several_ways(one: str, other: str) -> None:
    assert parts(one) == parts(other)
    assert not NONE.is_newer(one, other)
    assert not NONE.is_newer(other, one)


def test_dates_decide_between_registered_releases() -> None:
    known = releases(hotfix_1_9=DAY, big_2_0=2 * DAY)
    assert known.is_newer("hotfix.1.9", "big.2.0")
    assert not known.is_newer("big.2.0", "hotfix.1.9")


def test_parts_decide_where_the_dates_are_the_same() -> None:
    known = Releases(Release(id=key, released_at=NOW) for key in ("2025.10.1", "2025.9.30"))
    assert known.is_newer("2025.10.1", "2025.9.30")
    latest = known.latest(NOW)
    assert latest is not None
    assert latest.id == "2025.10.1"


def test_an_unregistered_release_is_placed_by_its_parts() -> None:
    known = Releases([Release(id="2025.10.1", released_at=NOW)])
    assert known.is_newer("2025.10.2", "2025.10.1")
    assert known.is_newer("2025.10.1", "2025.9.30")


def test_the_latest_is_the_newest_that_is_out() -> None:
    known = Releases(
        [
            Release(id="1", released_at=NOW - DAY),
            Release(id="2", released_at=NOW),
            Release(id="3", released_at=NOW + DAY),
        ]
    )
    latest = known.latest(NOW)
    assert latest is not None
    assert latest.id == "2"
    assert known.upcoming(NOW) == NOW + DAY


def test_there_need_not_be_a_latest() -> None:
    assert NONE.latest(NOW) is None
    assert NONE.upcoming(NOW) is None


def test_the_newer_of_two_keeps_the_one_that_was_there_when_they_are_the_same() -> None:
    assert NONE.newer("1.2", "v1.2") == "1.2"
    assert NONE.newer("1.2", "1.1") == "1.2"
    assert NONE.newer("1.2", "1.3") == "1.3"
    assert NONE.newer(None, "1.0") == "1.0"


@given(
    st.lists(
        st.text(st.sampled_from("0123vrcab.-_+ é\x00"), max_size=64) | st.text(max_size=64), min_size=2, max_size=6
    )
)
def test_any_ids_whatever_have_an_order(ids: list[str]) -> None:
    ordered = sorted(ids, key=parts)
    for older, newer in pairwise(ordered):
        assert not NONE.is_newer(older, newer)
        assert NONE.is_newer(newer, older) == (parts(older) != parts(newer))


dates = st.integers(-3, 3).map(lambda days: NOW + days * DAY)


@given(st.lists(st.builds(Release, id=st.sampled_from(["1", "2", "v2.0", "10", "rc"]), released_at=dates)), dates)
def test_the_latest_is_out_and_nothing_that_is_out_is_newer(known: list[Release], now: datetime) -> None:
    releases, registered = Releases(known), {each.id: each for each in known}.values()
    out = [each for each in registered if each.released_at <= now]
    latest = releases.latest(now)
    assert (latest is None) == (not out)
    assert latest is None or (latest in out and not any(releases.is_newer(each.id, latest.id) for each in out))
    assert releases.upcoming(now) == min((each.released_at for each in registered if each not in out), default=None)
