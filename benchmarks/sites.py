"""A node with campaigns in force, the people who have been there before, and the requests that are sent to it."""

import itertools
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random

import msgspec
import trio
from msgspec import Struct

from benchmarks import examples, servers
from benchmarks.loader import closed_loop
from benchmarks.targets import Target
from pulsekeeper.clock import utc_now
from pulsekeeper.decisions.rulebook.definitions import definition
from pulsekeeper.decisions.rulebook.rule_store import RuleStore
from pulsekeeper.decisions.rules.model import Settings

_PER_MINUTE = 1_000_000_000
"""The rate limits must not be what is measured."""
_TOGETHER = 2000
_AT_ONCE = 32
"""Connections over which visitors are introduced."""
_PAUSE = 0.2
"""Seconds until those are asked again who were told that nothing could be decided in time."""
_LOT = 1000
"""Visitors that are drawn together."""
_MEETING = 60.0
"""Seconds in which so many known visitors have to have come once."""

HEALTHZ = b"GET /healthz HTTP/1.1\r\nHost: benchmark\r\n\r\n"
FACTS = {"settings": f"defaults, but decisions.calls_per_minute = {_PER_MINUTE}"}
"""What a reader has to know of the nodes."""

_encoder = msgspec.json.Encoder()


class Site(Struct, frozen=True, kw_only=True):
    """One node before a database."""

    campaigns: int
    """How many are in force."""
    url: str
    """Of its database."""
    server: servers.Process
    visitors: int
    """How many have been there before."""
    strangers: Iterator[bytes]
    """What is sent by those who have not; each of them comes once."""

    def regulars(self) -> Iterator[bytes]:
        """Known visitors, drawn at random, in the same order in every run."""
        return drawn(self.visitors)

    def known(self) -> Target:
        """The node, asked by known visitors."""
        return self._asked(self.regulars())

    def unknown(self) -> Target:
        """The node, asked by unknown ones."""
        return self._asked(self.strangers)

    def healthz(self) -> Target:
        """The node, asked whether it is there."""
        return self._asked(itertools.repeat(HEALTHZ))

    def _asked(self, requests: Iterator[bytes]) -> Target:
        return Target(addresses=[self.server.address], requests=requests, cpu=self.server.cpu)


def node(folder: Path, url: str, **settings: str | int) -> servers.Node:
    """A server whose limits are out of the way, with further settings of decisions. `folder` must not exist."""
    return servers.Node(
        folder,
        {
            "web": {"bind": "127.0.0.1:0"},
            "database": {"url": url},
            "decisions": {"calls_per_minute": _PER_MINUTE, **settings},
        },
    )


@asynccontextmanager
async def open_site(folder: Path, url: str, campaigns: int, visitors: int) -> AsyncIterator[Site]:
    """A running node with everything that it needs. `folder` must not exist; `url` is of an empty database."""
    async with node(folder, url).serving() as server:
        await put_in_force(url, campaigns)
        await introduce(server, visitors)
        yield Site(campaigns=campaigns, url=url, server=server, visitors=visitors, strangers=strangers())


async def put_in_force(url: str, campaigns: int) -> None:
    """Give a database that has its tables so many campaigns, and the releases that they are about."""
    async with servers.connected(url) as database, RuleStore(database).edit(Settings().policy(), utc_now()) as draft:
        draft.campaigns.update({campaign.id: definition(campaign) for campaign in examples.campaigns(campaigns)})
        draft.releases.update({release.id: release for release in examples.RELEASES})


async def introduce(server: servers.Process, visitors: int, say: Callable[[int], None] = lambda _met: None) -> None:
    """Let every known visitor come once; `say` is told now and then how many have."""
    for begun in range(0, visitors, _TOGETHER):
        say(begun)
        await _meet(server, range(begun, min(begun + _TOGETHER, visitors)))


async def _meet(server: servers.Process, group: range) -> None:
    """All of them, and again while some are not answered in time: nobody is remembered by a degraded answer."""
    ask, end = _template("regular"), trio.current_time() + _MEETING
    while trio.current_time() < end:
        met = await closed_loop(server.address, map(ask, group), connections=_AT_ONCE, seconds=_MEETING)
        if met.extra["errors"]:
            break
        if met.extra["kept"] == len(group):
            return
        await trio.sleep(_PAUSE)
    raise servers.ServerFailed(f"not all of {len(group)} visitors could be introduced: {met.extra}")


def visitor_id(number: int) -> str:
    """What the browser of a known visitor is called."""
    return f"regular-{number:08}"


def drawn(visitors: int) -> Iterator[bytes]:
    """Requests of so many known visitors at random, in the same order in every run."""
    chance, ask = Random(1), _template("regular")  # noqa: S311  # see above
    lots = (chance.choices(range(visitors), k=_LOT) for _ in itertools.count())  # one by one takes ten times as long
    return map(ask, itertools.chain.from_iterable(lots))


def strangers() -> Iterator[bytes]:
    """Requests of people who come once."""
    return map(_template("stranger"), itertools.count())


def _template(kind: str) -> Callable[[int], bytes]:
    """Makes the request of the visitor with a number. All have the same length, so only the number is filled in."""
    before, after = _request(f"{kind}-{0:08}").split(f"{0:08}".encode())
    return lambda number: b"%b%08d%b" % (before, number, after)


def _request(visitor: str) -> bytes:
    body = _encoder.encode(examples.request(visitor))
    return (
        b"POST /api/experience/decide HTTP/1.1\r\nHost: benchmark\r\nContent-Type: application/json\r\n"
        b"Content-Length: %d\r\n\r\n%s" % (len(body), body)
    )
