"""The thread that does the work, against a service on a real socket."""

import logging
import os
import socket
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from pulsekeeper.client import Clocks, Telemetry
from tests.client.little_service import LittleService, Trouble, little_service, problem, until

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def service() -> Any:
    """One of its own for each test."""
    with little_service() as service:
        yield service


def client(service: LittleService | str, folder: Path | None = None, **options: Any) -> Telemetry:
    """One that is never in doubt for long."""
    url = service if isinstance(service, str) else service.url
    chosen: dict[str, Any] = {"consent": True, "delay": 0.01, "jitter": lambda top: min(top, 0.01)} | options
    return Telemetry(url, folder=folder, **chosen)


def test_a_session_from_start_to_end(service: LittleService, tmp_path: Path) -> None:
    with client(service, tmp_path, app_version="1.2", consent_version="2026-01", clocks=Clocks(wall=lambda: NOON)) as t:
        t.event("story_opened", story="Button")
        t.event("story_closed", story="Button")
        until(lambda: t.stats.acknowledged == 2)
        assert str(t.installation_id) in service.sessions.values()
        assert t.session_id is not None
    assert service.calls == ["start-session", "ingest", "end-session"]
    assert service.bodies[0] == {"appVersion": "1.2", "consentVersion": "2026-01", "replace": False}
    opened, closed = service.stored.values()
    assert opened["props"] == {"story": "Button"}
    assert opened["at"] == opened["sentAt"] == "2026-03-01T12:00:00Z"
    assert opened["seq"] < closed["seq"]
    assert t.session_id is None


def test_the_end_sends_what_waits(service: LittleService) -> None:
    with client(service, delay=60) as t:
        t.event("something")
    assert service.names() == ["something"]
    assert t.stats.queued == 0


def test_it_says_that_it_is_alive_as_often_as_it_was_told(service: LittleService) -> None:
    service.still_alive_seconds = 0.1  # a second is the least
    with client(service):
        until(lambda: service.count("still-alive") == 1)


def test_many_events_go_in_batches(service: LittleService) -> None:
    with client(service, patience=20) as t:
        for number in range(1700):
            t.event("something", number=number)
    assert len(service.stored) == 1700
    assert t.stats.acknowledged == 1700
    assert 4 <= service.count("ingest") < 20
    assert max(len(body["events"]) for body in service.bodies if body and "events" in body) <= 500


def test_no_trouble_loses_an_event_or_stores_one_twice(service: LittleService) -> None:
    service.trouble("start-session", Trouble(status=500), Trouble(hang_up=True))
    service.trouble(
        "ingest",
        Trouble(status=500),
        Trouble(status=503, headers={"Retry-After": "0"}),
        Trouble(hang_up=True),
        Trouble(hang_up=True, done_first=True),
        Trouble(status=200, body=b"<html>"),
        Trouble(status=403, body=b"blocked by policy"),
        problem(401, "token_expired"),
        problem(409, "session_ended"),
        problem(404, "unknown_session"),
        Trouble(status=422),
    )
    with client(service) as t:
        for number in range(20):
            t.event("something", number=number)
        until(lambda: t.stats.queued == 0)
        assert t.stats.acknowledged + t.stats.duplicates == 20
        assert t.stats.duplicates >= 1
    assert len(service.stored) == 20
    assert service.count("start-session") == 6


def test_retry_after_is_honoured(service: LittleService) -> None:
    service.trouble("ingest", Trouble(status=429, headers={"Retry-After": "1"}))
    with client(service) as t:
        t.event("something")
        until(lambda: service.names() == ["something"])
    first, second = [at for at, kind in zip(service.times, service.calls, strict=True) if kind == "ingest"]
    assert second - first >= 0.95


def test_a_call_that_is_too_large_is_split(service: LittleService) -> None:
    service.most_events = 7
    with client(service, patience=20) as t:
        for _ in range(30):
            t.event("something")
    assert len(service.stored) == 30


def test_what_is_refused_for_good_is_dropped_and_counted(service: LittleService) -> None:
    service.always["ingest"] = Trouble(status=422)
    with client(service, patience=20) as t:
        t.event("something")
    assert t.stats.dropped == 1
    assert t.stats.reasons == {"refused": 1}


def test_without_consent_nothing_is_sent_or_stored(service: LittleService, tmp_path: Path) -> None:
    folder = tmp_path / "new"
    with client(service, folder, consent=False) as t:
        t.event("something")
        assert t.stopped == "no_consent"
    assert service.calls == []
    assert not folder.exists()


def test_consent_may_come_later(service: LittleService, tmp_path: Path) -> None:
    with client(service, tmp_path, consent=False) as t:
        t.event("before")
        t.agree(version="2026-02")
        t.event("after")
    assert service.names() == ["after"]
    assert service.bodies[0]["consentVersion"] == "2026-02"


@pytest.mark.parametrize("kind", ["start-session", "ingest", "still-alive"])
def test_when_the_service_forbids_it_it_stops_for_good_until_the_user_agrees(
    service: LittleService, tmp_path: Path, kind: str
) -> None:
    service.still_alive_seconds = 1
    service.trouble(kind, problem(403, "consent_withdrawn"))
    with client(service, tmp_path, delay=0.01 if kind == "ingest" else 60) as t:
        t.event("before")
        until(lambda: t.stopped)
        t.event("ignored")
    assert t.stats.dropped == 1
    calls = len(service.calls)
    with client(service, tmp_path) as again:
        again.event("ignored")
        assert again.stopped == "consent_withdrawn"
    assert len(service.calls) == calls
    with client(service, tmp_path) as agreed:
        agreed.agree()
        agreed.event("after")
    assert service.names() == ["after"]


def test_a_withdrawal_is_told_and_remembered(service: LittleService, tmp_path: Path) -> None:
    with client(service, tmp_path, delay=60) as t:
        until(lambda: t.session_id)
        t.event("forgotten")
        t.withdraw(erase=True)
        t.event("ignored")
    assert service.calls == ["start-session", "withdraw"]
    assert service.bodies[-1] == {"erase": True}
    assert t.stats.reasons == {"withdrawn": 1}
    with client(service, tmp_path):
        pass
    assert len(service.calls) == 2


def test_a_withdrawal_that_could_not_be_told_is_told_by_the_next_run_without_consent(tmp_path: Path) -> None:
    with little_service() as service:
        with client(service, tmp_path, patience=0.1) as t:
            until(lambda: t.session_id)
            service.always["withdraw"] = Trouble(status=500)
            t.withdraw(erase=True)
        service.always.clear()
        told = service.count("withdraw")
        with client(service, tmp_path, consent=False) as again:
            until(lambda: service.count("withdraw") > told)
            again.event("ignored")
        with client(service, tmp_path, consent=False):
            pass
    assert service.count("withdraw") == told + 1
    assert service.stored == {}
    assert service.count("start-session") == 1


def test_events_of_a_run_that_nobody_heard_are_sent_by_the_next_one_as_they_were(tmp_path: Path) -> None:
    with client("http://127.0.0.1:9", tmp_path, clocks=Clocks(wall=lambda: NOON), patience=0.1) as lonely:
        lonely.event("before")
        assert lonely.stats.queued == 1
    with little_service() as service:
        with client(service, tmp_path) as t:
            t.event("after")
            until(lambda: t.stats.acknowledged == 2)
        before, after = service.stored.values()
    assert (before["name"], before["at"]) == ("before", "2026-03-01T12:00:00Z")
    assert before["seq"] < after["seq"]


def test_processes_of_an_installation_have_one_id(service: LittleService, tmp_path: Path) -> None:
    service.trouble("start-session", Trouble(status=500, seconds=0.1))
    with client(service, tmp_path) as one, client(service, tmp_path) as other:
        until(lambda: one.session_id and other.session_id)
        assert one.session_id != other.session_id
        assert one.installation_id == other.installation_id
    assert len(set(service.sessions.values())) == 1


def test_nobody_there_is_no_trouble_for_the_program(caplog: pytest.LogCaptureFixture) -> None:
    """Refused, no such name, no such address, a server that is silent: said once, at debug."""
    caplog.set_level(logging.DEBUG, "pulsekeeper.client")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        urls = [f"http://127.0.0.1:{silent.getsockname()[1]}", "http://127.0.0.1:9", "http://nowhere.invalid", "no url"]
        for url in urls:
            began = time.monotonic()
            with client(url, patience=0.1) as t:
                t.event("something")
            assert time.monotonic() - began < 2
            assert t.stats.queued == 1
    assert all(record.levelno == logging.DEBUG for record in caplog.records)
    assert len(caplog.records) <= 2 * len(urls)


def test_a_broken_folder_is_no_trouble_either(service: LittleService, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with client(service, tmp_path / "file") as t:
        t.event("something")
    assert service.names() == ["something"]


def test_what_cannot_be_sent_is_counted_and_raises_nothing(service: LittleService) -> None:
    with client(service) as t:
        t.event("something", wrong=object())  # type: ignore[arg-type]  # that is what is tested
        t.event(None)  # type: ignore[arg-type]  # the same
        t.event("something", self="a", name="b")
    assert t.stats.rejected == 2
    assert t.stats.reasons == {"bad_props": 1, "bad_name": 1}
    assert service.names() == ["something"]


def test_a_mistake_of_the_client_stays_in_the_client(caplog: pytest.LogCaptureFixture) -> None:
    def broken() -> datetime:
        raise RuntimeError("the clock is broken")

    with client("http://127.0.0.1:9", clocks=Clocks(wall=broken), patience=0.1) as t:
        t.event("something")
        t.event("something")
    assert [record.message for record in caplog.records] == ["telemetry has failed"]


def test_an_end_without_a_start_and_a_second_end_are_nothing(service: LittleService) -> None:
    t = client(service)
    t.end()
    t.event("ignored")
    t.start()
    t.start()
    t.end()
    t.end()
    t.event("ignored")
    assert service.names() == []


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
def test_a_forked_child_leaves_its_parents_queue_alone(service: LittleService, tmp_path: Path) -> None:
    with client(service, tmp_path, delay=60) as t:
        child = os.fork()
        if child == 0:
            t.event("from the child")
            os._exit(0)
        os.waitpid(child, 0)
        t.event("from the parent")
    assert service.names() == ["from the parent"]
