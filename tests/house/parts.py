"""What tests of the whole house share: pages that ask, and a look into the tables behind them."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Literal
from uuid import UUID

import httpx
import msgspec
import trio

from pulsekeeper.decisions.rules.model import DecideReply
from pulsekeeper.postgres.database import Database
from pulsekeeper.postgres.queries import inline
from pulsekeeper.web.tree import Node, Tree
from tests.support.service import ADMIN
from tests.support.waiting import eventually

DECIDE = "/api/experience/decide"
RELEASE = "2025.10.1"
_LOGGED = inline("select decision_id from decision_log")
_COUNTED = inline(
    "select (state -> 'visits' ->> 'total')::bigint as visits,"
    " (select count(*) from decision_log where decision_log.person_key = visitors.person_key) as decisions"
    " from visitors"
)


class Answer(msgspec.Struct, frozen=True):
    """What a page was told, and how many seconds it waited."""

    status: int
    seconds: float
    reply: DecideReply
    request_id: str = ""
    """Finds its line in the log of the node."""

    @property
    def committed(self) -> bool:
        """Whether it promises that the decision is stored."""
        return not self.reply.degraded


class _Body(httpx.AsyncByteStream):
    """A body in one piece. Where the connection breaks, httpx's own leaves a generator behind that nobody closes."""

    def __init__(self, content: bytes) -> None:
        self._pieces = iter([content])

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        for piece in self._pieces:
            return piece
        raise StopAsyncIteration


async def post(client: httpx.AsyncClient, path: str, content: bytes, headers: Mapping[str, str]) -> httpx.Response:
    """Send JSON, on a connection that may break. Raises `httpx.TransportError` when it does."""
    described = {"Content-Type": "application/json", "Content-Length": str(len(content)), **headers}
    request = client.build_request("POST", path, headers=described)
    request.stream = _Body(content)
    return await client.send(request)


async def ask(client: httpx.AsyncClient, visitor_id: str | None = None, **members: object) -> Answer:
    """Ask as a page does. Anything but a decision fails the test."""
    body = {"releaseId": RELEASE, **members} | ({} if visitor_id is None else {"visitorId": visitor_id})
    before = trio.current_time()
    answer = await post(client, DECIDE, msgspec.json.encode(body), {})
    seconds = trio.current_time() - before
    reply = msgspec.json.decode(answer.content, type=DecideReply)
    return Answer(answer.status_code, seconds, reply, answer.headers["x-request-id"])


def shown(answer: Answer) -> list[str]:
    """The ids of the campaigns that the page is to show."""
    return [decision.campaign_id for decision in answer.reply.decisions]


class Load:
    """Pages that ask without a pause, each as soon as it has its answer."""

    def __init__(self) -> None:
        self.answers: list[Answer] = []
        self.lost = 0
        """Pages that lost their connection, and have stopped asking."""
        self._over = False

    @property
    def committed(self) -> list[Answer]:
        """The answers that promise that the decision is stored."""
        return [answer for answer in self.answers if answer.committed]

    @property
    def degraded(self) -> list[Answer]:
        """The others."""
        return [answer for answer in self.answers if not answer.committed]

    async def page(self, client: httpx.AsyncClient, visitor_id: str) -> None:
        """Ask until the load is over."""
        try:
            while not self._over:
                self.answers.append(await ask(client, visitor_id))
        except httpx.TransportError:
            self.lost += 1

    def end(self) -> None:
        """No further question: those that are under way are still answered."""
        self._over = True


@asynccontextmanager
async def load(visitors: Sequence[str], *clients: httpx.AsyncClient) -> AsyncIterator[Load]:
    """Every one of the visitors has a page open at every one of the nodes. All of them are done when the block ends."""
    pages = Load()
    async with trio.open_nursery() as nursery:
        for visitor_id in visitors:
            for client in clients:
                nursery.start_soon(pages.page, client, visitor_id)
        yield pages
        pages.end()


def crowd(size: int) -> list[str]:
    """The ids of some visitors."""
    return [f"visitor-{number:04}" for number in range(size)]


async def until_more(answers: Literal["committed", "degraded"], of: Load, number: int) -> None:
    """Return when `number` more answers of a kind are there."""
    wanted = len(getattr(of, answers)) + number

    async def fact() -> bool:
        return len(getattr(of, answers)) >= wanted

    await eventually(fact)


async def logged(database: Database) -> set[str]:
    """The ids of all decisions in the log."""
    return {str(UUID(str(row["decision_id"]))) for row in await database.fetch(_LOGGED)}


async def counted(database: Database) -> list[tuple[int, int]]:
    """For each person the visits in the state, and the decisions in the log. Without a gap both are the same."""
    return [(row["visits"], row["decisions"]) for row in await database.fetch(_COUNTED)]


async def tree_of(client: httpx.AsyncClient) -> Mapping[str, Node]:
    """Every actor of a node by its path, as `minds/decider`."""
    answer = await client.get("/api/system/tree", headers=ADMIN)
    return dict(_walk(msgspec.json.decode(answer.content, type=Tree).children))


def _walk(nodes: Sequence[Node], above: str = "") -> list[tuple[str, Node]]:
    found = []
    for node in nodes:
        found += [(above + node.name, node), *_walk(node.children, f"{above}{node.name}/")]
    return found
