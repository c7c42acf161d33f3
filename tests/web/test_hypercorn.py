"""What our connections rely on inside Hypercorn 0.18, which promises none of it: an upgrade has to look at each line.

Where one of these tests fails after an upgrade, Hypercorn has changed in a place that `web/serving.py`,
`web/http11.py`, `web/front.py` or `web/exchange.py` reaches into: read what has changed there, and only then change
the line here.
"""

import ast
import importlib
import inspect
import re
import tomllib
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import pytest
import trio
from hypercorn.app_wrappers import ASGIWrapper
from hypercorn.config import Config
from hypercorn.protocol.h11 import H11Protocol
from hypercorn.trio.task_group import TaskGroup
from hypercorn.trio.tcp_server import TCPServer
from hypercorn.trio.worker_context import WorkerContext
from hypercorn.typing import ConnectionState

import pulsekeeper

_SOURCES = Path(pulsekeeper.__file__).parent
_ROOT = Path(__file__).parents[2]

SIGNATURES = {
    "hypercorn.app_wrappers.ASGIWrapper": "(app)",
    "hypercorn.protocol.h11.H11Protocol": (
        "(app, config, context, task_group, connection_state, ssl, client, server, send)"
    ),
    "hypercorn.protocol.h11.H11Protocol._check_protocol": "(self, event)",
    "hypercorn.protocol.h11.H11Protocol._create_stream": "(self, request)",
    "hypercorn.protocol.h11.H11Protocol._send_error_response": "(self, status_code)",
    "hypercorn.protocol.h11.H11Protocol._send_h11_event": "(self, event)",
    "hypercorn.protocol.h11.H11Protocol.handle": "(self, event)",
    "hypercorn.protocol.h11.H11Protocol.stream_send": "(self, event)",
    "hypercorn.protocol.http_stream.HTTPStream": (
        "(app, config, context, task_group, ssl, client, server, send, stream_id)"
    ),
    "hypercorn.protocol.http_stream.HTTPStream.handle": "(self, event)",
    "hypercorn.trio.task_group.TaskGroup": "()",
    "hypercorn.trio.tcp_server.TCPServer": "(app, config, context, state, stream)",
    "hypercorn.trio.tcp_server.TCPServer._idle_timeout": "(self)",
    "hypercorn.trio.tcp_server.TCPServer._read_data": "(self)",
    "hypercorn.trio.tcp_server.TCPServer.protocol_send": "(self, event)",
    "hypercorn.trio.tcp_server.TCPServer.run": "(self)",
    "hypercorn.trio.worker_context.TrioSingleTask.restart": "(self, task_group, action)",
    "hypercorn.trio.worker_context.TrioSingleTask.stop": "(self)",
    "hypercorn.trio.worker_context.WorkerContext": "(max_requests)",
    "hypercorn.utils.parse_socket_addr": "(family, address)",
}
"""What is called or overridden, with the names of its parameters."""

IMPORTED = {
    "hypercorn.app_wrappers": {"ASGIWrapper"},
    "hypercorn.config": {"Config"},
    "hypercorn.events": {"Closed", "Event", "RawData", "Updated"},
    "hypercorn.logging": {"Logger"},
    "hypercorn.protocol.events": {"Event", "Request", "StreamClosed"},
    "hypercorn.protocol.h11": {"H11Protocol", "STREAM_ID"},
    "hypercorn.protocol.http_stream": {"HTTPStream"},
    "hypercorn.trio.task_group": {"TaskGroup"},
    "hypercorn.trio.tcp_server": {"MAX_RECV", "TCPServer"},
    "hypercorn.trio.worker_context": {"WorkerContext"},
    "hypercorn.typing": {
        "ASGIReceiveCallable", "ASGIReceiveEvent", "ASGISendCallable", "ASGISendEvent", "ConnectionState", "HTTPScope",
    },
    "hypercorn.utils": {"parse_socket_addr"},
}  # fmt: skip
"""Everything that any module of ours takes from Hypercorn."""

OF_A_SERVER = {"app", "config", "context", "idle_task", "protocol", "state", "stream", "_task_group"}
"""What a connection finds or leaves on itself for Hypercorn's `TCPServer`."""
OF_A_PROTOCOL = {
    "app", "client", "config", "connection", "connection_state", "context", "keep_alive_requests", "server", "ssl",
    "stream", "task_group",
}  # fmt: skip
"""The same of its HTTP/1.1."""
OF_A_CONFIG = {
    "accesslog", "alpn_protocols", "certfile", "errorlog", "h11_max_incomplete_size", "include_server_header",
    "keep_alive_max_requests", "keep_alive_timeout", "keyfile", "logger_class", "ssl_handshake_timeout",
}  # fmt: skip
"""Settings that are set or read."""


@pytest.mark.parametrize("name", SIGNATURES)
def test_what_is_called_or_overridden_takes_the_same(name: str) -> None:
    place, missing = _found(name), f"Hypercorn {version('hypercorn')} has no {name} any more, on which we rely."
    assert callable(place), missing
    taken = f"({', '.join(inspect.signature(place).parameters)})"
    assert taken == SIGNATURES[name], f"{name} takes {taken} in Hypercorn {version('hypercorn')}"


def test_everything_that_is_imported_is_named_here() -> None:
    found: dict[str, set[str]] = {}
    for module, name in _imports():
        found.setdefault(module, set()).add(name)

    assert found == IMPORTED


async def test_a_server_and_its_protocol_have_what_we_find_on_them() -> None:
    ours, theirs = trio.testing.memory_stream_pair()
    config, context = Config(), WorkerContext(None)
    server = TCPServer(ASGIWrapper(_nobody), config, context, ConnectionState({}), ours)  # type: ignore[arg-type]  # no socket
    async with theirs, ours, TaskGroup() as group:
        server._task_group = group
        protocol = H11Protocol(
            server.app, config, context, group, ConnectionState({}), False, None, None, server.protocol_send
        )

    assert sorted(name for name in OF_A_SERVER if not hasattr(server, name)) == ["protocol"]  # made in its `run`
    assert "self.protocol = " in inspect.getsource(TCPServer.run)
    assert "self._task_group" in inspect.getsource(TCPServer.run)
    assert [name for name in OF_A_PROTOCOL if not hasattr(protocol, name)] == []
    assert [name for name in OF_A_CONFIG if not hasattr(config, name)] == []
    assert protocol.stream is None
    assert hasattr(context.terminated, "set")
    assert callable(config.create_ssl_context)
    assert callable(config.response_headers)


def test_it_is_pinned_to_the_minor_version_that_was_looked_at() -> None:
    wanted = tomllib.loads((_ROOT / "pyproject.toml").read_text())["project"]["dependencies"]

    assert [each for each in wanted if re.match(r"hypercorn\b", each)] == ["hypercorn>=0.18,<0.19"]
    assert version("hypercorn").startswith("0.18.")


def _found(name: str) -> object:
    """The class, function or method of a dotted name; `None` where there is none."""
    module, _, rest = name.partition(".")
    parts = rest.split(".")
    place: object = importlib.import_module(module)
    for number, part in enumerate(parts):
        if not hasattr(place, part) and inspect.ismodule(place):
            try:
                importlib.import_module(".".join([module, *parts[: number + 1]]))
            except ModuleNotFoundError:
                return None
        place = getattr(place, part, None)
    return place


def _imports() -> Iterator[tuple[str, str]]:
    texts = {file: file.read_text() for file in _SOURCES.rglob("*.py")}
    for file, text in texts.items():
        for node in ast.walk(ast.parse(text)) if "hypercorn" in text else ():
            if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "hypercorn":
                yield from ((node.module or "", alias.name) for alias in node.names)
            if isinstance(node, ast.Import):
                assert not any(alias.name.startswith("hypercorn") for alias in node.names), file


async def _nobody(*_: object) -> None:
    pass
