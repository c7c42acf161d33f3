import pytest

from pulsekeeper.decisions.rulebook.definitions import Difference
from pulsekeeper.decisions.rulebook.drafts import MOST, Draft
from pulsekeeper.errors import Conflict


def full() -> Draft:
    """As many campaigns as there may be."""
    return Draft({f"campaign-{number}": b"{}" for number in range(MOST)}, {})


def test_a_draft_knows_what_is_to_be_written() -> None:
    draft = Draft({"same": b"1", "other": b"2", "gone": b"3"}, {})
    draft.campaigns["other"] = b"4"
    draft.campaigns["new"] = b"5"
    del draft.campaigns["gone"]

    assert draft.changed_campaigns() == Difference(added=("new",), changed=("other",), removed=("gone",))
    assert not draft.changed_releases()


def test_there_may_not_be_one_too_many() -> None:
    draft = full()
    draft.campaigns["one-more"] = b"{}"

    with pytest.raises(Conflict, match="10001"):
        draft.changed_campaigns()


def test_what_is_there_can_be_changed_and_replaced_at_the_bound() -> None:
    draft = full()
    del draft.campaigns["campaign-0"]
    draft.campaigns |= {"campaign-1": b"changed", "one-more": b"{}"}

    assert draft.changed_campaigns() == Difference(
        added=("one-more",), changed=("campaign-1",), removed=("campaign-0",)
    )
