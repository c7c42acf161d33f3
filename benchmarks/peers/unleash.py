"""Starts Unleash, a server for feature flags, with ten flags that ask what our ten campaigns ask.

It is asked by its frontend API: one request evaluates all flags for one user, out of memory, and stores nothing. What a
flag needs to know of the user's past, such as the number of visits, the caller has to send along each time.
"""

import os
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from itertools import islice
from urllib.parse import parse_qsl, urlencode, urlsplit

import httpx
import trio

from benchmarks import servers
from benchmarks.loader import closed_loop
from benchmarks.peers import cache, calls, running
from benchmarks.peers.running import Candidate, Peer, Program, Server, Setting
from benchmarks.peers.unleash_flags import FLAGS, PROJECT, matching, regular
from benchmarks.servers import ServerFailed

NAME = "Unleash, frontend API"
_OLDEST_NODE = 20
_ADMIN = "*:*.benchmark-admin"
_FRONTEND = "default:development.benchmark-frontend"
_SETTINGS = {
    "NODE_ENV": "production",
    "LOG_LEVEL": "error",
    "DATABASE_SSL": "false",
    "CHECK_VERSION": "false",
    "SEND_TELEMETRY": "false",
    "ENABLE_OAS": "false",
    "SERVER_KEEPALIVE_TIMEOUT": "600",
}
"""The log level is the default. There is no TLS and no rate limit on what is measured, as a matter of course."""
_PATIENCE = 30.0
"""Seconds until new flags have to be served, and for the calls before the first measured one."""
_CALLS = 10_000
"""Before anything is measured."""


@asynccontextmanager
async def open_unleash(setting: Setting) -> AsyncIterator[Peer]:
    """One process, as the service is one node."""
    node = await _node()
    modules = await cache.node_modules()
    url = await servers.new_database(setting.url, "unleash")
    program = Program(
        name="unleash",
        command=["node", str(modules / "unleash-server" / "dist" / "server.js")],
        environment=_SETTINGS | _environment(url),
        health="/health",
    )
    async with running.serving(program, setting.folder) as server:
        await _create_flags(server)
        people = [calls.get(_path(regular(f"regular-{number:08}")), _FRONTEND) for number in range(setting.visitors)]
        await _warm_up(server, calls.drawn(people))
        settings = " ".join(f"{name}={value}" for name, value in _SETTINGS.items())
        yield Peer(
            name=NAME,
            target=server.asked(calls.drawn(people), expected=b'"toggles":['),
            facts={NAME: f"{' '.join(cache.NODE_PACKAGES)}, Node {node}; {settings}"},
        )


async def _warm_up(server: Server, requests: Iterator[bytes]) -> None:
    """Node translates into machine code only what has run often; before, Unleash is three times slower."""
    warmed = await closed_loop(server.address, islice(requests, _CALLS), connections=32, seconds=_PATIENCE)
    if warmed.extra["errors"]:
        raise ServerFailed(f"Unleash answers with errors: {warmed.extra}")


async def _node() -> str:
    """The version. Raises `ServerFailed` when there is none that Unleash runs on, or no npm to install it."""
    await cache.run("npm", "--version")
    version = await cache.run("node", "--version")
    if int(version.removeprefix("v").partition(".")[0]) < _OLDEST_NODE:
        raise ServerFailed(f"it needs Node {_OLDEST_NODE} or newer, and this is {version}")
    return version


def _environment(url: str) -> dict[str, str]:
    """Where the database is, the port, and the two tokens that it begins with."""
    parts = urlsplit(url)
    query = dict(parse_qsl(parts.query))
    return {
        "PATH": os.environ.get("PATH", ""),
        "DATABASE_HOST": query.get("host") or parts.hostname or "",
        "DATABASE_PORT": query.get("port") or str(parts.port or 5432),
        "DATABASE_NAME": parts.path.removeprefix("/"),
        "DATABASE_USERNAME": parts.username or "",
        "DATABASE_PASSWORD": parts.password or "",
        "HTTP_HOST": running.HOST,
        "HTTP_PORT": "{port}",
        "INIT_ADMIN_API_TOKENS": _ADMIN,
        "INIT_FRONTEND_API_TOKENS": _FRONTEND,
    }


async def _create_flags(server: Server) -> None:
    """By the admin API, and until somebody whom all of them fit is served all of them."""
    async with httpx.AsyncClient(base_url=server.origin, trust_env=False) as client:
        client.headers["Authorization"] = _ADMIN
        for flag, strategy in FLAGS.items():
            await _post(client, f"{PROJECT}/features", {"name": flag, "type": "release"})
            await _post(client, f"{PROJECT}/features/{flag}/environments/development/strategies", strategy)
            await _post(client, f"{PROJECT}/features/{flag}/environments/development/on", {})
        client.headers["Authorization"] = _FRONTEND
        await _wait_served(client)


async def _post(client: httpx.AsyncClient, path: str, body: Mapping[str, object]) -> None:
    answer = await client.post(path, json=body)
    if not answer.is_success:
        raise ServerFailed(f"Unleash refused {path}: {answer.status_code} {answer.text[:500]}")


async def _wait_served(client: httpx.AsyncClient) -> None:
    served: set[str] = set()
    with trio.move_on_after(_PATIENCE):
        while served != set(FLAGS):
            answer = await client.get(_path(matching()))
            served = {each["name"] for each in answer.json()["toggles"]}
            await trio.sleep(0.2)
    if served != set(FLAGS):
        raise ServerFailed(f"Unleash does not serve {sorted(set(FLAGS) - served)} to somebody whom they fit")


def _path(context: Mapping[str, str]) -> str:
    return f"/api/frontend?{urlencode(context)}"


UNLEASH = Candidate(name=NAME, open=open_unleash)
