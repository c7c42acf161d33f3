import json
from pathlib import Path

import pytest

from pulsekeeper.decisions.catalogue import read_folder
from pulsekeeper.decisions.definitions import definition
from pulsekeeper.demo import sample_campaigns
from pulsekeeper.errors import Invalid
from tests.support.decisions import campaign

GOOD = {"id": "hello", "type": "onboarding", "action": "SHOW_BANNER"}


def test_a_folder_may_hold_single_campaigns_and_lists(tmp_path: Path) -> None:
    (tmp_path / "one.json").write_text(json.dumps(GOOD))
    (tmp_path / "two.json").write_text(json.dumps([GOOD | {"id": "second"}, GOOD | {"id": "third"}]))
    (tmp_path / "notes.txt").write_text("not a campaign")

    assert [each.id for each in read_folder(tmp_path)] == ["hello", "second", "third"]


def test_all_faults_of_all_files_are_told_with_their_places(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps(GOOD | {"prioritty": 3, "rollout": {"percent": 101}}))
    (tmp_path / "b.json").write_text(json.dumps([GOOD, GOOD]))
    (tmp_path / "c.json").write_text("{")

    with pytest.raises(Invalid) as refusal:
        read_folder(tmp_path)

    assert {fault.pointer.removeprefix(f"{tmp_path}/") for fault in refusal.value.faults} == {
        "a.json/prioritty",
        "a.json/rollout/percent",
        "b.json/1/id",
        "c.json",
    }


def test_an_empty_folder_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="there is no"):
        read_folder(tmp_path)


def test_the_sample_campaigns_are_valid() -> None:
    assert len(read_folder(sample_campaigns())) == 4


def test_equal_campaigns_are_stored_as_equal_texts() -> None:
    written = campaign(messagePayload={"b": 1, "a": 2})
    otherwise = campaign(messagePayload={"a": 2, "b": 1})

    assert definition(written) == definition(otherwise)
