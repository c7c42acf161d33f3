import json
import os
from pathlib import Path

import pytest

from pulsekeeper.decisions.rulebook.catalogue import read_folder, write_folder
from pulsekeeper.decisions.rulebook.definitions import definition
from pulsekeeper.demo import sample_campaigns
from pulsekeeper.errors import Conflict, Invalid
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


def test_what_is_no_json_is_told_with_its_file(tmp_path: Path) -> None:
    texts = {"deep": b"[" * 5000, "latin": b'{"id": "\xe4"}', "nul": b'{"id": "\\u0000"}', "none": b"7"}
    for name, text in texts.items():
        (tmp_path / f"{name}.json").write_bytes(text)
    (tmp_path / "folder.json").mkdir()

    with pytest.raises(Invalid) as refusal:
        read_folder(tmp_path)

    places = [fault.pointer.removeprefix(f"{tmp_path}/") for fault in refusal.value.faults]
    assert places == ["deep.json", "folder.json", "latin.json", "none.json", "nul.json/id"]


@pytest.mark.parametrize("name", ["/dev/zero", "pipe.json", "large.json"])
def test_what_has_no_end_is_not_read(name: str, tmp_path: Path) -> None:
    """A pipe was waited for, and a device was read until the memory was full."""
    file = tmp_path / name
    if name == "pipe.json":
        os.mkfifo(file)
    elif name == "large.json":
        file.write_bytes(b" " * 1_048_577)

    with pytest.raises(Invalid, match=r"1 fault$") as refusal:
        read_folder(file)

    assert refusal.value.faults[0].detail.startswith("cannot be read: it is ")


def definitions(*ids: str) -> dict[str, bytes]:
    return {key: definition(campaign(key)) for key in ids}


def test_what_was_written_is_read_again(tmp_path: Path) -> None:
    write_folder(tmp_path / "new" / "folder", definitions("a", "b"))
    write_folder(tmp_path / "new" / "folder", definitions("a", "b"))

    assert {each.id: definition(each) for each in read_folder(tmp_path / "new" / "folder")} == definitions("a", "b")


def test_nothing_is_written_beside_files_of_others(tmp_path: Path) -> None:
    for name in ("mine.json", "yours.json", "notes.txt"):
        (tmp_path / name).write_text("{}")

    with pytest.raises(Conflict, match=r"mine\.json, yours\.json"):
        write_folder(tmp_path, definitions("a"))

    assert sorted(file.name for file in tmp_path.iterdir()) == ["mine.json", "notes.txt", "yours.json"]
