"""A service on a real socket that knows as much of sessions as a client sees, and misbehaves when it is told to."""

import gzip
import json
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from uuid import uuid4

import msgspec

PROBLEM = "application/problem+json"
PATIENCE = 20.0


class Trouble(msgspec.Struct, frozen=True, kw_only=True):
    """What one call gets instead of its answer."""

    status: int = 500
    body: bytes = b""
    headers: dict[str, str] = {}
    done_first: bool = False
    """Whether what was asked is done all the same."""
    hang_up: bool = False
    seconds: float = 0.0
    """To wait before."""


def problem(status: int, code: str, **also: object) -> Trouble:
    """As the service says no."""
    body = json.dumps({"code": code, "status": status}).encode()
    return Trouble(status=status, body=body, headers={"Content-Type": PROBLEM})


class LittleService:
    """What it has stored, what it was asked, and what will go wrong."""

    def __init__(self) -> None:
        self.stored: dict[str, dict[str, Any]] = {}
        """Events by their id, with the session that they came in."""
        self.copies: Counter[str] = Counter()
        """How often each came."""
        self.calls: list[str] = []
        self.bodies: list[Any] = []
        self.times: list[float] = []
        self.sessions: dict[str, str] = {}
        """Installations by the session's token."""
        self.troubles: dict[str, deque[Trouble]] = {}
        """By the call that they are for, one for each."""
        self.always: dict[str, Trouble] = {}
        self.most_events = 500
        self.still_alive_seconds = 300.0
        self.url = ""
        self._lock = threading.Lock()

    def names(self) -> list[str]:
        """Of the stored events, sorted."""
        return sorted(event["name"] for event in self.stored.values())

    def count(self, kind: str) -> int:
        """How often it was asked this."""
        return self.calls.count(kind)

    def trouble(self, kind: str, *troubles: Trouble) -> None:
        """The next calls of a kind get these."""
        self.troubles.setdefault(kind, deque()).extend(troubles)

    def answer(self, kind: str, token: str, body: bytes) -> Trouble:
        """What a call gets."""
        with self._lock:
            self.calls.append(kind)
            self.times.append(time.monotonic())
            self.bodies.append(json.loads(body or b"null"))
            waiting = self.troubles.get(kind)
            trouble = waiting.popleft() if waiting else self.always.get(kind)
            if trouble is None or trouble.done_first:
                answer = self._do(kind, token, self.bodies[-1])
                return trouble or answer
            return trouble

    def _do(self, kind: str, token: str, body: Any) -> Trouble:
        if kind == "start-session":
            return self._start(body)
        if token not in self.sessions:
            return problem(401, "token_forged")
        if kind == "ingest":
            return self._ingest(body, token)
        return Trouble(status=204)

    def _start(self, body: Any) -> Trouble:
        token, installation = str(uuid4()), body.get("installationId") or str(uuid4())
        self.sessions[token] = installation
        reply = {
            "sessionId": str(uuid4()),
            "token": token,
            "installationId": installation,
            "stillAliveSeconds": self.still_alive_seconds,
            "timeoutSeconds": 3600,
        }
        return Trouble(status=201, body=json.dumps(reply).encode())

    def _ingest(self, body: Any, token: str) -> Trouble:
        if len(body["events"]) > self.most_events:
            return Trouble(status=413)
        accepted = 0
        for event in body["events"]:
            self.copies[event["id"]] += 1
            accepted += event["id"] not in self.stored
            self.stored.setdefault(event["id"], event | {"token": token, "sentAt": body["sentAt"]})
        reply = {"accepted": accepted, "duplicates": len(body["events"]) - accepted, "rejected": []}
        return Trouble(status=200, body=json.dumps(reply).encode())


@contextmanager
def little_service(port: int = 0) -> Iterator[LittleService]:
    """One that runs; gone afterwards."""
    service = LittleService()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            """Be quiet."""

        def do_POST(self) -> None:  # the base class's name
            """Every call is one."""
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            token = (self.headers.get("Authorization") or "").removeprefix("Bearer ")
            self._say(service.answer(self.path.rpartition("/")[2], token, body))

        def _say(self, trouble: Trouble) -> None:
            time.sleep(trouble.seconds)
            if trouble.hang_up:
                self.close_connection = True
                return
            self.send_response(trouble.status)
            for name, value in trouble.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(trouble.body)))
            self.end_headers()
            self.wfile.write(trouble.body)

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            """Clients that hang up are what is tested."""

    with Server(("127.0.0.1", port), Handler) as server:
        service.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield service
        finally:
            server.shutdown()
            thread.join()


def until(fact: Callable[[], object]) -> None:
    """Return when `fact` has become true; it becomes so in another thread, which sets no event."""
    deadline = time.monotonic() + PATIENCE
    while not fact():
        assert time.monotonic() < deadline
        time.sleep(0.005)
