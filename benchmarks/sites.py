"""A node with campaigns in force, the people who have been there before, and the requests that are sent to it."""

import itertools
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random

import msgspec
from msgspec import Struct

from benchmarks import examples, servers
from benchmarks.loader import closed_loop
from pulsekeeper.clock import utc_now
from pulsekeeper.decisions.rulebook.definitions import definition
from pulsekeeper.decisions.rulebook.rule_store import RuleStore
from pulsekeeper.decisions.rules.model import Settings

_PER_MINUTE = 1_000_000_000
"""The rate limits must not be what is measured."""
_MEETING = 60.0
"""Seconds in which every known visitor has to have come once."""

HEALTHZ = b"GET /healthz HTTP/1.1\r\nHost: benchmark\r\n\r\n"
FACTS = {"settings": f"defaults, but decisions.calls_per_minute = {_PER_MINUTE}"}

_encoder = msgspec.json.Encoder()


class Site(Struct, frozen=True, kw_only=True):
    """One node, alone before a database of its own."""

    campaigns: int
    """How many are in force."""
    url: str
    """Of its database."""
    server: servers.Process
    known: Sequence[bytes]
    """What is sent by those who have been there before."""
    strangers: Iterator[bytes]
    """What is sent by those who have not; each of them comes once."""

    def regulars(self) -> Iterator[bytes]:
        """Known visitors, drawn at random, in the same order in every run."""
        choice = Random(1).choice  # noqa: S311  # see above
        while True:
            yield choice(self.known)


@asynccontextmanager
async def open_site(folder: Path, url: str, campaigns: int, visitors: int) -> AsyncIterator[Site]:
    """A running node with everything that it needs. `folder` must not exist; `url` is of an empty database."""
    node = servers.Node(
        folder,
        {
            "web": {"bind": "127.0.0.1:0"},
            "database": {"url": url},
            "decisions": {"calls_per_minute": _PER_MINUTE},
        },
    )
    async with node.serving() as server:
        await _put_in_force(url, campaigns)
        known = [_request(f"regular-{number:08}") for number in range(visitors)]
        await _introduce(server, known)
        strangers = (_request(f"stranger-{number:08}") for number in itertools.count())
        yield Site(campaigns=campaigns, url=url, server=server, known=known, strangers=strangers)


async def _put_in_force(url: str, campaigns: int) -> None:
    async with servers.connected(url) as database, RuleStore(database).edit(Settings().policy(), utc_now()) as draft:
        draft.campaigns.update({campaign.id: definition(campaign) for campaign in examples.campaigns(campaigns)})
        draft.releases.update({release.id: release for release in examples.RELEASES})


async def _introduce(server: servers.Process, known: Sequence[bytes]) -> None:
    """Let every known visitor come once."""
    everybody = iter(known)
    met = await closed_loop(server.address, everybody, connections=8, seconds=_MEETING)
    if met.extra["errors"] or next(everybody, None) is not None:
        raise servers.ServerFailed(f"not all of {len(known)} visitors could be introduced: {met.extra}")


def _request(visitor_id: str) -> bytes:
    body = _encoder.encode(examples.request(visitor_id))
    return (
        b"POST /api/experience/decide HTTP/1.1\r\nHost: benchmark\r\nContent-Type: application/json\r\n"
        b"Content-Length: %d\r\n\r\n%s" % (len(body), body)
    )
