"""Campaigns and releases whose ids are said elsewhere, or belong to others."""

from datetime import UTC, datetime

import pytest

from pulsekeeper.decisions.rulebook.reading import read_campaign, read_campaign_as, read_release_as
from pulsekeeper.decisions.rules.campaigns import Campaign, Release
from pulsekeeper.errors import Invalid

GOOD: dict[str, object] = {"id": "hello", "type": "release", "action": "SHOW_DIALOG"}


def pointers(refusal: pytest.ExceptionInfo[Invalid]) -> list[str]:
    """Where the faults are."""
    return [fault.pointer for fault in refusal.value.faults]


def test_an_id_that_is_taken_is_a_fault_among_others() -> None:
    with pytest.raises(Invalid) as refusal:
        read_campaign(GOOD | {"priority": "high"}, taken={"hello"})

    assert pointers(refusal) == ["/priority", "/id"]
    assert read_campaign(GOOD, taken={"other"}).id == "hello"


@pytest.mark.parametrize("document", [{}, {"id": "hello"}])
def test_the_id_may_stand_in_the_address_alone(document: dict[str, object]) -> None:
    rest = {"type": "release", "action": "SHOW_DIALOG"}

    assert read_campaign_as("hello", rest | document) == Campaign(id="hello", type="release", action="SHOW_DIALOG")


@pytest.mark.parametrize("other", ["other", None, 7, ["hello"]])
def test_two_ids_are_a_contradiction_among_other_faults(other: object) -> None:
    with pytest.raises(Invalid) as refusal:
        read_campaign_as("hello", GOOD | {"id": other, "action": "show"})

    assert pointers(refusal) == ["/action", "/id"]


@pytest.mark.parametrize("bad", ["Hello", "a/b", "..", "x" * 65, "hello\n", "__proto__", ""])
def test_an_address_that_is_no_id_is_a_fault(bad: str) -> None:
    with pytest.raises(Invalid) as refusal:
        read_campaign_as(bad, {"type": "release", "action": "SHOW_DIALOG"})

    assert pointers(refusal) == ["/id"]


def test_a_release_is_read_in_utc() -> None:
    release = read_release_as("2026.1", {"releasedAt": "2026-01-01T09:00:00+09:00"})

    assert release == Release(id="2026.1", released_at=datetime(2026, 1, 1, tzinfo=UTC))
    assert release.released_at.tzinfo == UTC


def test_all_faults_of_a_release_are_said_at_once() -> None:
    with pytest.raises(Invalid) as refusal:
        read_release_as("2026.1", {"id": "2026.2", "releasedAt": "yesterday", "notesUrl": 7, "notes": "…"})

    assert pointers(refusal) == ["/releasedAt", "/notesUrl", "/notes", "/id"]


@pytest.mark.parametrize("edge", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00"])
def test_a_date_that_cannot_be_stored_is_refused(edge: str) -> None:
    with pytest.raises(Invalid) as refusal:
        read_release_as("2026.1", {"releasedAt": edge})

    assert pointers(refusal) == ["/releasedAt"]
