"""Which names are zones, whatever a client writes."""

from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulsekeeper import zones
from pulsekeeper.zones import known_zones, zone_named


def test_every_zone_that_there_is_is_found_by_its_name() -> None:
    assert known_zones() == available_timezones()
    assert all(zone_named(name) == ZoneInfo(name) for name in known_zones())


@pytest.mark.parametrize(
    "name",
    [
        "",
        "Nowhere/Land",
        "america/new_york",
        "America",
        "../../etc/passwd",
        "/etc/passwd",
        "America/../America/New_York",
        "America/New_York\x00",
        "America/New_York\n",
        "tzdata.zoneinfo",
        "x" * 1_000_000,
        "Zürich",
        "\ud800",
    ],
)
def test_what_is_no_name_of_a_zone_is_none(name: str) -> None:
    assert zone_named(name) is None


@given(name=st.text())
def test_what_a_client_invents_is_never_looked_for_among_the_files(name: str) -> None:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(zones, "ZoneInfo", pytest.fail)

        assert name in known_zones() or zone_named(name) is None


def test_inventions_are_not_remembered() -> None:
    """Whoever sends many of them fills no memory, and displaces no zone that somebody uses."""
    before = zones._zone.cache_info().currsize

    assert {zone_named(f"Nowhere/Land{number}") for number in range(5000)} == {None}
    assert zones._zone.cache_info().currsize == before


def test_there_is_room_for_all_zones() -> None:
    assert len(known_zones()) <= (zones._zone.cache_info().maxsize or 0)
