"""The folder that the processes of an installation share. SQLite's locks hold within one process too."""

from pathlib import Path

from pulsekeeper.client.facts import Fact, Facts
from pulsekeeper.client.folder import MOST_PROCESSES, Folder
from pulsekeeper.client.locks import FileLock

MUCH = 1_000_000


def folder(path: Path) -> Folder:
    """One process's part in it."""
    return Folder(path, 100, MUCH)


def contents(of: Folder) -> list[bytes]:
    """The events in a process's queue."""
    return [event for _, event in of.open().head(500, MUCH)]


def test_a_lock_has_one_holder(tmp_path: Path) -> None:
    one, other = FileLock(tmp_path / "lock"), FileLock(tmp_path / "lock")
    assert one.take()
    assert not other.take()
    one.release()
    assert other.take()
    other.release()


def test_looking_makes_no_file(tmp_path: Path) -> None:
    path = tmp_path / "new"
    assert folder(path).facts.get(Fact.INSTALLATION) is None
    assert not path.exists()


def test_facts_are_known_to_every_process_and_run(tmp_path: Path) -> None:
    one, other = Facts(tmp_path / "new"), Facts(tmp_path / "new")
    one.put(Fact.INSTALLATION, "an id")
    assert other.get(Fact.INSTALLATION) == "an id"
    other.put(Fact.INSTALLATION, None)
    assert one.get(Fact.INSTALLATION) is None


def test_facts_without_a_file_are_remembered_for_the_run(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for facts in (Facts(None), Facts(tmp_path / "file")):
        facts.put(Fact.TOKEN, "token")
        assert facts.get(Fact.TOKEN) == "token"


def test_a_damaged_file_of_facts_is_as_good_as_none(tmp_path: Path) -> None:
    (tmp_path / "installation.db").write_bytes(b"no database" * 1000)
    facts = Facts(tmp_path)
    facts.put(Fact.TOKEN, "token")
    assert facts.get(Fact.TOKEN) == "token"


def test_every_process_has_a_queue_of_its_own(tmp_path: Path) -> None:
    one, other = folder(tmp_path), folder(tmp_path)
    one.open().add(b"one")
    other.open().add(b"other")
    assert one.adopt() == other.adopt() == 0
    assert contents(one) == [b"one"]
    assert contents(other) == [b"other"]
    one.close()
    other.close()


def test_what_the_dead_have_left_is_sent_by_the_living(tmp_path: Path) -> None:
    dead = [folder(tmp_path) for _ in range(3)]
    for number, each in enumerate(dead):
        each.open().add(b"%d" % number)
    for each in dead:
        each.close()
    heir = folder(tmp_path)
    heir.open()
    heir.adopt()
    assert contents(heir) == [b"0", b"1", b"2"]
    heir.close()
    again = folder(tmp_path)
    again.open()
    again.adopt()
    assert contents(again) == [b"0", b"1", b"2"]
    again.close()


def test_more_processes_than_there_are_places_have_memory(tmp_path: Path) -> None:
    crowd = [folder(tmp_path) for _ in range(MOST_PROCESSES + 1)]
    for each in crowd:
        each.open()
    assert [each.is_degraded for each in crowd] == [False] * MOST_PROCESSES + [True]
    for each in crowd:
        each.close()


def test_one_process_at_a_time_asks_for_the_id(tmp_path: Path) -> None:
    one, other = folder(tmp_path), folder(tmp_path)
    assert one.may_be_first()
    assert one.may_be_first()
    assert not other.may_be_first()
    one.was_first()
    assert other.may_be_first()
    other.was_first()


def test_a_place_where_no_folder_can_be_means_memory(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path in (tmp_path / "file", tmp_path / "file" / "folder"):
        one = folder(path)
        one.open().add(b"a")
        assert one.is_degraded
        assert one.may_be_first()
        assert contents(one) == [b"a"]
        one.close()
