"""The tree of actors as operators see it: over HTTP and among the metrics."""

from collections.abc import Callable, Iterable, Iterator, Sequence

import msgspec
import trio
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from pulsekeeper.actors.child import State, Status
from pulsekeeper.web.endpoints import Answer, Endpoint
from pulsekeeper.web.identity import Scope
from pulsekeeper.web.wire import Reply, Request, json_reply

Statuses = Callable[[], Sequence[Status]]


class Node(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One actor, or a supervisor with what is below it."""

    name: str
    state: State
    restarts: int
    """How often it was started again."""
    mailbox_depth: int
    mailbox_peak: int
    mailbox_capacity: int
    busy_seconds: float
    """How long it has been busy with the message in hand; 0 while it waits."""
    stuck: bool
    """Busy for longer than it is allowed to be."""
    children: tuple["Node", ...] = ()


class Tree(msgspec.Struct, frozen=True, rename="camel"):
    """All actors of this node, in start order."""

    children: tuple[Node, ...]


def endpoint(statuses: Statuses) -> Endpoint:
    """`GET /api/system/tree`."""

    async def tree(_: Request) -> Reply:
        now = trio.current_time()
        return json_reply(Tree(tuple(_node(status, now) for status in statuses())))

    example = Tree((_node(_EXAMPLE, 0.0),))
    return Endpoint(
        method="GET",
        path="/api/system/tree",
        handler=tree,
        tag="operations",
        operation_id="tree",
        summary="Every actor of this node, with its state, restarts and mailbox.",
        answers={200: Answer(description="The tree, in start order.", type=Tree, example=example)},
        scope=Scope.ADMIN,
    )


class TreeCollector(Collector):
    """The same for `/metrics`; an actor is named by its path, as `minds/decider`."""

    def __init__(self, statuses: Statuses) -> None:
        self._statuses = statuses

    def describe(self) -> Iterable[Metric]:
        """Nothing is collected at registration: there is no tree yet."""
        return ()

    def collect(self) -> Iterable[Metric]:
        """One sample for each actor."""
        running = GaugeMetricFamily("pulsekeeper_actor_running", "1 while the actor runs.", labels=["actor"])
        restarts = CounterMetricFamily("pulsekeeper_actor_restarts", "Restarts of the actor.", labels=["actor"])
        depth = GaugeMetricFamily("pulsekeeper_actor_mailbox_depth", "Messages that wait.", labels=["actor"])
        peak = GaugeMetricFamily("pulsekeeper_actor_mailbox_peak", "Most messages that ever waited.", labels=["actor"])
        stuck = GaugeMetricFamily("pulsekeeper_actor_stuck", "1 while busy for longer than allowed.", labels=["actor"])
        for path, status in _walk(self._statuses()):
            running.add_metric([path], float(status.state is State.RUNNING))
            restarts.add_metric([path], status.restarts)
            depth.add_metric([path], status.depth)
            peak.add_metric([path], status.peak)
            stuck.add_metric([path], float(status.stuck))
        return running, restarts, depth, peak, stuck


_EXAMPLE = Status(
    name="decider",
    state=State.RUNNING,
    restarts=0,
    depth=0,
    peak=12,
    capacity=4096,
    busy_since=None,
    stuck=False,
)


def _node(status: Status, now: float) -> Node:
    return Node(
        name=status.name,
        state=status.state,
        restarts=status.restarts,
        mailbox_depth=status.depth,
        mailbox_peak=status.peak,
        mailbox_capacity=status.capacity,
        busy_seconds=0.0 if status.busy_since is None else round(now - status.busy_since, 3),
        stuck=status.stuck,
        children=tuple(_node(child, now) for child in status.children),
    )


def _walk(statuses: Iterable[Status], above: str = "") -> Iterator[tuple[str, Status]]:
    for status in statuses:
        yield above + status.name, status
        yield from _walk(status.children, f"{above}{status.name}/")
