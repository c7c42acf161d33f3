"""The composition root: what there is, how it is connected, and in which order it starts and stops. Read this first.

    root            rest_for_one    a crash takes along only what was started after it
    ├─ keepers      one_for_one     those who work for all others: schema
    ├─ minds        one_for_one     decider, timekeeper; keykeeper, recorder, reaper, accountant; caretaker
    ├─ timers       one_for_one     (to come: one actor for each scheduled timer)
    └─ front        Hypercorn and Quart-Trio; started last, stopped first

Resources, such as the database, are opened around the tree: actors own state and time, resources own handles. Start
order is dependency order and stop order is its reverse, so a graceful shutdown is not a feature that anyone wrote.
How a single room is put together stands in `wiring/`, one file a room; how rooms are connected stands here.

The way of a page's question: `web.serving` reads it, `web.plain` and `web.express` take it apart, `web.gate` lets it
in, `decisions.routes` asks the decider, which takes all questions that wait, decides them by `decisions.rules`, commits
them by one statement (`decisions.store`, over `postgres.line`) and wakes each asker with the answer, and `web.writing`
puts it on the wire.
"""

import math
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import msgspec
from prometheus_client import CollectorRegistry

from pulsekeeper import __version__
from pulsekeeper.access.keyring import Keyring
from pulsekeeper.access.operators import OperatorAuthenticator
from pulsekeeper.access.store import KeyStore
from pulsekeeper.access.verifier import TokenVerifier, open_token_verifier
from pulsekeeper.actors.child import ChildSpec
from pulsekeeper.actors.mailbox import Mailbox
from pulsekeeper.actors.restarts import Budget, Strategy
from pulsekeeper.actors.supervisor import Supervisor
from pulsekeeper.actors.tree import open_tree
from pulsekeeper.checklist import Checklist
from pulsekeeper.clock import Clock, utc_now
from pulsekeeper.config import Config
from pulsekeeper.postgres.caretaker import Caretaker
from pulsekeeper.postgres.database import Database, open_database
from pulsekeeper.postgres.schema import Schema
from pulsekeeper.postgres.upkeep import turns
from pulsekeeper.web import tree
from pulsekeeper.web.app import App, create_app
from pulsekeeper.web.front import Front
from pulsekeeper.web.gate import Services
from pulsekeeper.web.listening import Listening
from pulsekeeper.wiring.decisions import decisions
from pulsekeeper.wiring.ground import Ground, Room, actor
from pulsekeeper.wiring.sessions import sessions
from pulsekeeper.wiring.upkeep import upkeep


class House(msgspec.Struct, frozen=True):
    """The running service, as the commands see it."""

    config: Config
    database: Database
    tokens: TokenVerifier
    listening: Listening
    checklist: Checklist
    """What is missing before this node is ready."""


@asynccontextmanager
async def open_house(config: Config, clock: Clock = utc_now) -> AsyncIterator[House]:
    """The whole service, for as long as the block runs; it stops in order when the block ends.

    The address is taken first, so that a port in use is a sentence and not a crash. Raises `CannotListen` for that,
    `BudgetSpent` when the tree has given up, and `errors.Unavailable` when the embedded database does not start. A
    database that is configured and not there is waited for.
    """
    listening = Listening(config.web)
    listening.open()
    try:
        async with open_token_verifier(config.auth, clock) as tokens, open_database(config.database) as database:
            house = House(config, database, tokens, listening, Checklist())
            root = furnish(house, clock)
            async with open_tree(root) as started:
                house.checklist.expect("not every actor has started", started)
                yield house
    finally:
        listening.close()


def furnish(house: House, clock: Clock) -> Supervisor:
    """Make every room and connect it to the others by refs and plain callables."""
    ground = _ground(house, clock)
    rooms = [decisions(ground), sessions(ground)]

    def make_front() -> Front:
        return Front(app, house.config.web, house.listening)

    # The tree, in start order.
    root = Supervisor(
        [
            supervisor("keepers", [_schema(ground)]),
            supervisor("minds", [*(mind for room in rooms for mind in room.minds), _caretaker(ground)]),
            supervisor("timers", []),
            actor("front", make_front, grace=front_grace(house.config)),
        ],
        strategy=Strategy.REST_FOR_ONE,
        budget=Budget(limit=3, period=60.0),
    )

    ground.registry.register(tree.TreeCollector(root.statuses))
    app = _app(house, ground, rooms, root)
    return root


def _ground(house: House, clock: Clock) -> Ground:
    config, database = house.config, house.database
    return Ground(
        config=config,
        clock=clock,
        database=database,
        schema_ready=house.checklist.expect("the database is not reached, or its schema is not up to date"),
        tokens=house.tokens,
        operators=OperatorAuthenticator(Keyring(config.auth, KeyStore(database), clock), house.tokens),
        checklist=house.checklist,
        registry=CollectorRegistry(),
    )


def _schema(ground: Ground) -> ChildSpec:
    def make() -> Schema:
        migrate_on_start = ground.config.database.migrate_on_start
        return Schema(ground.database, ground.clock, migrate_on_start=migrate_on_start, ready=ground.schema_ready)

    return actor("schema", make)


def _caretaker(ground: Ground) -> ChildSpec:
    def make() -> Caretaker:
        return Caretaker(turns(ground.database, upkeep(ground.config)), ground.clock, ground.schema_ready)

    return actor("caretaker", make)


def _app(house: House, ground: Ground, rooms: Sequence[Room], root: Supervisor) -> App:
    services = Services(
        authenticator=ground.operators,
        readiness=lambda: (*house.checklist.reasons(), *house.listening.reasons()),
        registry=ground.registry,
        clock=ground.clock,
        version=__version__,
    )
    endpoints = [*(endpoint for room in rooms for endpoint in room.endpoints), tree.endpoint(root.statuses)]
    return create_app(endpoints, house.config.web, services)


def supervisor(name: str, children: Sequence[ChildSpec]) -> ChildSpec:
    """A branch whose children do not depend on each other. It has all the time that its children have."""
    return ChildSpec(name=name, start=lambda: Supervisor(children), mailbox=Mailbox(name, 64), grace=math.inf)


def front_grace(config: Config) -> float:
    """The front ends by itself within its own limits; a second more is for closing what is left."""
    return config.web.drain_delay.total_seconds() + config.web.graceful_timeout.total_seconds() + 1.0
