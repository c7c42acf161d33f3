"""The queue on the disk."""

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from pulsekeeper.client.spool import Spool

MUCH = 1_000_000


@pytest.fixture(params=["disk", "memory"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path | None:
    """Both kinds behave the same, but for what they survive."""
    return tmp_path / "queue.db" if request.param == "disk" else None


def texts(spool: Spool, most: int = 500) -> list[bytes]:
    """The events at the head."""
    return [event for _, event in spool.head(most, MUCH)]


def test_first_in_first_out_and_what_is_removed_is_gone(path: Path | None) -> None:
    spool = Spool(path, 100, MUCH)
    for number in range(5):
        spool.add(b"%d" % number)
    rows = spool.head(4, MUCH)
    spool.remove([rows[0], rows[1], rows[3]])
    assert texts(spool) == [b"2", b"4"]
    assert (spool.count, spool.size) == (2, 2)
    spool.close()


def test_numbers_are_never_used_again(path: Path | None) -> None:
    spool = Spool(path, 100, MUCH)
    spool.add(b"a")
    first = spool.head(1, MUCH)
    spool.remove(first)
    spool.add(b"b")
    assert spool.head(1, MUCH)[0][0] > first[0][0]
    spool.close()


def test_the_head_is_bounded_by_bytes_but_has_one_event(path: Path | None) -> None:
    spool = Spool(path, 100, MUCH)
    for _ in range(10):
        spool.add(b"x" * 10)
    assert len(spool.head(500, 35)) == 3
    assert len(spool.head(500, 35, overhead=5)) == 2
    assert len(spool.head(500, 1)) == 1
    spool.close()


def test_when_it_is_full_the_oldest_go(path: Path | None) -> None:
    spool = Spool(path, 3, 40)
    assert [spool.add(b"%d" % number) for number in range(5)] == [0, 0, 0, 1, 1]
    assert texts(spool) == [b"2", b"3", b"4"]
    spool.release()
    assert spool.add(b"x" * 39) == 2
    assert (spool.count, spool.size) == (2, 40)
    spool.close()


def test_what_is_under_way_is_not_dropped(path: Path | None) -> None:
    spool = Spool(path, 3, MUCH)
    for number in range(3):
        spool.add(b"%d" % number)
    under_way = spool.head(2, MUCH)
    assert spool.add(b"3") == 1
    spool.remove(under_way)
    assert texts(spool) == [b"3"]
    spool.close()


def test_it_survives_its_program(tmp_path: Path) -> None:
    """Nothing is closed, as if the program were killed: what was added is in the file."""
    spool = Spool(tmp_path / "queue.db", 100, MUCH)
    spool.add(b"a")
    other = Spool(tmp_path / "queue.db", 100, MUCH)
    assert texts(other) == [b"a"]
    assert other.count == 1
    spool.close()
    other.close()


def test_a_damaged_file_is_begun_anew(tmp_path: Path) -> None:
    path = tmp_path / "queue.db"
    path.write_bytes(b"this is no database" * 1000)
    spool = Spool(path, 100, MUCH)
    spool.add(b"a")
    assert spool.path == path
    assert texts(spool) == [b"a"]
    spool.close()


def test_a_file_that_is_damaged_in_the_middle_is_begun_anew(tmp_path: Path) -> None:
    path = tmp_path / "queue.db"
    spool = Spool(path, 10_000, 10 * MUCH)
    for _ in range(1_000):
        spool.add(b"x" * 200)
    spool.close()
    whole = path.read_bytes()
    path.write_bytes(whole[:8192] + b"\xff" * (len(whole) - 8192))
    again = Spool(path, 100, MUCH)
    again.add(b"a")
    assert again.path == path
    assert texts(again) == [b"a"]
    again.close()


def test_a_folder_that_cannot_be_written_means_memory(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "missing" / "queue.db", 100, MUCH)
    spool.add(b"a")
    assert spool.path is None
    assert texts(spool) == [b"a"]
    spool.close()


def test_a_file_that_fails_later_means_memory_from_then_on_with_what_can_be_read(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "queue.db", 100, MUCH)
    spool.add(b"a")
    spool._connection.execute("pragma query_only = on")  # as a disk that has become read-only
    assert spool.add(b"b") == 0
    assert spool.path is None
    assert texts(spool) == [b"a", b"b"]
    spool.close()


def test_what_stays_on_the_disk_is_not_lost(tmp_path: Path) -> None:
    """A later run sends it."""
    path = tmp_path / "queue.db"
    spool = Spool(path, 100, MUCH)
    spool.add(b"a")
    spool._connection.close()
    assert spool.add(b"b") == 0
    assert texts(spool) == [b"b"]
    spool.close()
    assert on_disk(path) == [b"a"]


def test_what_is_lost_with_a_damaged_file_is_counted(tmp_path: Path) -> None:
    path = tmp_path / "queue.db"
    spool = Spool(path, 10_000, 10 * MUCH)
    for _ in range(1_000):
        spool.add(b"x" * 200)
    spool.tidy()
    spool._connection.execute("pragma cache_size = 1")
    spool._connection.execute("pragma wal_checkpoint(truncate)")
    with path.open("r+b") as file:
        file.seek(8192)
        file.write(b"\xff" * (path.stat().st_size - 8192))
    lost = spool.add(b"a")
    assert lost > 0
    assert spool.path is None
    assert spool.count == 1_001 - lost
    spool.close()


@contextmanager
def busy(path: Path) -> Iterator[None]:
    """Somebody else writes to the file meanwhile."""
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("begin immediate")
        yield
        other.execute("rollback")


def on_disk(path: Path) -> list[bytes]:
    """What a later run would find."""
    with closing(sqlite3.connect(path)) as connection:
        return [event for (event,) in connection.execute("select event from events order by id")]


def test_a_file_that_is_busy_for_a_while_is_gone_back_to(tmp_path: Path) -> None:
    """Once, a lock of a second sent the queue to memory for good, and its program waited for all of that second."""
    path = tmp_path / "queue.db"
    spool = Spool(path, 100, MUCH)
    spool.add(b"a")
    with busy(path):
        began = time.perf_counter()
        assert [spool.add(b"b"), spool.add(b"c")] == [0, 0]
        assert time.perf_counter() - began < 0.5
        assert texts(spool) == [b"a", b"b", b"c"]
        assert spool.is_untidy
        assert on_disk(path) == [b"a"]
    spool.tidy()
    assert (spool.path, spool.is_untidy) == (path, False)
    assert on_disk(path) == [b"a", b"b", b"c"]
    spool.close()


def test_what_is_settled_while_the_disk_is_full_is_gone_when_there_is_room_again(tmp_path: Path) -> None:
    path = tmp_path / "queue.db"
    spool = Spool(path, 100, MUCH)
    spool.add(b"a")
    spool.add(b"b")
    (pages,) = spool._connection.execute("pragma page_count").fetchone()
    disk = spool._connection
    disk.execute(f"pragma max_page_count = {pages}")
    assert spool.add(b"x" * 10_000) == 0
    first, *_ = spool.head(1, MUCH)
    spool.remove([first])
    assert spool.add(b"c") == 0
    assert texts(spool) == [b"b", b"x" * 10_000, b"c"]
    assert on_disk(path) == [b"a", b"b"]
    disk.execute("pragma max_page_count = 1000000")
    assert texts(spool) == [b"b", b"x" * 10_000, b"c"]
    assert on_disk(path) == [b"b", b"x" * 10_000, b"c"]
    assert (spool.count, spool.size) == (3, 10_002)
    spool.add(b"d")
    assert on_disk(path)[-1] == b"d"
    spool.close()


def test_what_is_cleared_while_the_file_is_busy_is_gone_afterwards(tmp_path: Path) -> None:
    path = tmp_path / "queue.db"
    spool = Spool(path, 100, MUCH)
    spool.add(b"a secret")
    with busy(path):
        assert spool.clear() == 1
    spool.close()
    assert on_disk(path) == []


def test_numbers_are_not_used_again_in_memory(tmp_path: Path) -> None:
    """What is under way when the trouble begins must not be taken for what comes afterwards."""
    path = tmp_path / "queue.db"
    spool = Spool(path, 100, MUCH)
    spool.add(b"a")
    rows = spool.head(1, MUCH)
    spool.remove(rows)
    with busy(path):
        spool.add(b"b")
        assert spool.head(1, MUCH)[0][0] > rows[0][0]
    spool.close()
    assert on_disk(path) == [b"b"]


def test_what_is_cleared_is_not_to_be_found_in_the_files(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "queue.db", 100, MUCH)
    spool.add(b"a secret of the user")
    spool.tidy()
    assert spool.clear() == 1
    assert not [file for file in tmp_path.iterdir() if b"a secret" in file.read_bytes()]
    spool.close()


def test_the_log_of_changes_does_not_grow_for_ever(tmp_path: Path) -> None:
    """A full queue that nobody empties, because the service is away: each event still changes the file."""
    spool = Spool(tmp_path / "queue.db", 50, MUCH)
    for _ in range(6_000):
        spool.add(b"x" * 200)
        if spool.is_untidy:
            spool.tidy()
    assert sum(file.stat().st_size for file in tmp_path.iterdir()) < 24 * MUCH
    spool.close()


def test_events_can_be_added_while_the_log_of_changes_is_brought_in(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "queue.db", MUCH, 100 * MUCH)

    def add() -> None:
        for _ in range(500):
            spool.add(b"x" * 100)

    threads = [threading.Thread(target=add) for _ in range(3)]
    for thread in threads:
        thread.start()
    for _ in range(10):
        spool.tidy()
        spool.remove(spool.head(50, MUCH))
    for thread in threads:
        thread.join()
    with sqlite3.connect(tmp_path / "queue.db") as connection:
        (count,) = connection.execute("select count(*) from events").fetchone()
    connection.close()
    assert spool.count == count
    assert spool.path is not None
    spool.close()
