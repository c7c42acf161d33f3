"""The composition root: what there is, how it is connected, and in which order it starts and stops. Read this first.

    root            rest_for_one    a crash takes along only what was started after it
    ├─ keepers      one_for_one     those who work for all others: schema
    ├─ minds        one_for_one     decider; recorder, reaper, accountant; caretaker
    ├─ timers       one_for_one     (to come: one actor for each scheduled timer)
    └─ front        Hypercorn and Quart-Trio; started last, stopped first

Resources, such as the database, are opened around the tree: actors own state and time, resources own handles. Start
order is dependency order and stop order is its reverse, so a graceful shutdown is not a feature that anyone wrote.
"""

import math
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import msgspec
import trio
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
from pulsekeeper.decisions.audit import maintenance as decisions_maintenance
from pulsekeeper.decisions.audit.audit_routes import AuditRoutes
from pulsekeeper.decisions.audit.log_store import BookStore, LogStore
from pulsekeeper.decisions.audit.people_routes import PeopleRoutes
from pulsekeeper.decisions.audit.people_store import PeopleStore
from pulsekeeper.decisions.audit.stats_routes import StatsRoutes
from pulsekeeper.decisions.audit.stats_store import StatsStore
from pulsekeeper.decisions.decider import Decider
from pulsekeeper.decisions.decider import Message as DeciderMessage
from pulsekeeper.decisions.numbers import Numbers as DecisionNumbers
from pulsekeeper.decisions.reception import Reception as DecisionReception
from pulsekeeper.decisions.routes import DecisionRoutes
from pulsekeeper.decisions.rulebook.campaign_routes import CampaignRoutes
from pulsekeeper.decisions.rulebook.release_routes import ReleaseRoutes
from pulsekeeper.decisions.rulebook.rule_store import RuleStore
from pulsekeeper.decisions.rulebook.salt_store import SaltStore
from pulsekeeper.decisions.rulebook.shelf import Shelf
from pulsekeeper.decisions.store import DecisionStore
from pulsekeeper.postgres.caretaker import Caretaker
from pulsekeeper.postgres.database import Database, open_database
from pulsekeeper.postgres.schema import Schema
from pulsekeeper.postgres.upkeep import Upkeep, turns
from pulsekeeper.sessions.archive.archive_routes import ArchiveRoutes
from pulsekeeper.sessions.archive.archive_store import ArchiveStore
from pulsekeeper.sessions.numbers import Numbers as SessionNumbers
from pulsekeeper.sessions.reaper import Reaper
from pulsekeeper.sessions.reception import Reception as SessionReception
from pulsekeeper.sessions.recorder import Message as RecorderMessage
from pulsekeeper.sessions.recorder import Recorder
from pulsekeeper.sessions.routes import SessionRoutes
from pulsekeeper.sessions.signing import SigningKeys
from pulsekeeper.sessions.store import SessionStore
from pulsekeeper.sessions.upkeep import maintenance as sessions_maintenance
from pulsekeeper.sessions.usage.accountant import Accountant
from pulsekeeper.sessions.usage.figures_store import FiguresStore
from pulsekeeper.sessions.usage.usage_routes import UsageRoutes
from pulsekeeper.web import tree
from pulsekeeper.web.app import App, create_app
from pulsekeeper.web.endpoints import Endpoint
from pulsekeeper.web.front import Front
from pulsekeeper.web.gate import Services
from pulsekeeper.web.identity import client_address, networks
from pulsekeeper.web.listening import Listening
from pulsekeeper.web.wire import Request

_DECIDER_MAILBOX = 4096
"""Questions that may wait. At the bound pages are told to show nothing: there is more load than this node can take."""
_RECORDER_MAILBOX = 512
"""Calls that may wait. At the bound clients are told to come back: nothing is taken that is not committed soon."""


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


class Ground(msgspec.Struct, frozen=True):
    """What every room stands on."""

    house: House
    clock: Clock
    registry: CollectorRegistry
    operators: OperatorAuthenticator
    schema_ready: trio.Event


class Room(msgspec.Struct, frozen=True):
    """What a room brings into the house."""

    minds: Sequence[ChildSpec]
    endpoints: Sequence[Endpoint]


def furnish(house: House, clock: Clock) -> Supervisor:
    """Make every room and connect it to the others by refs and plain callables."""
    config, database, registry = house.config, house.database, CollectorRegistry()
    schema_ready = house.checklist.expect("the database is not reached, or its schema is not up to date")
    operators = OperatorAuthenticator(Keyring(config.auth, KeyStore(database), clock), house.tokens)
    ground = Ground(house, clock, registry, operators, schema_ready)
    rooms = [_decisions(ground), _sessions(ground)]

    def make_schema() -> Schema:
        return Schema(database, clock, migrate_on_start=config.database.migrate_on_start, ready=schema_ready)

    def make_caretaker() -> Caretaker:
        return Caretaker(turns(database, upkeep(config)), clock, schema_ready)

    def make_front() -> Front:
        return Front(app, config.web, house.listening)

    # The tree, in start order.
    minds = [mind for room in rooms for mind in room.minds]
    root = Supervisor(
        [
            supervisor("keepers", [actor("schema", make_schema)]),
            supervisor("minds", [*minds, actor("caretaker", make_caretaker)]),
            supervisor("timers", []),
            actor("front", make_front, grace=front_grace(config)),
        ],
        strategy=Strategy.REST_FOR_ONE,
        budget=Budget(limit=3, period=60.0),
    )

    registry.register(tree.TreeCollector(root.statuses))
    services = Services(
        authenticator=operators,
        readiness=lambda: (*house.checklist.reasons(), *house.listening.reasons()),
        registry=registry,
        clock=clock,
        version=__version__,
    )
    endpoints = [*(endpoint for room in rooms for endpoint in room.endpoints), tree.endpoint(root.statuses)]
    app: App = create_app(endpoints, config.web, services)
    return root


def _decisions(ground: Ground) -> Room:
    """What should this visitor see?"""
    house, clock, settings = ground.house, ground.clock, ground.house.config.decisions
    database, policy = house.database, settings.policy()
    rules_loaded = house.checklist.expect("the campaigns are not loaded")
    numbers, decisions, rules = DecisionNumbers(ground.registry), DecisionStore(database), RuleStore(database)
    decider: Mailbox[DeciderMessage] = Mailbox("decider", _DECIDER_MAILBOX)

    def make_decider() -> Decider:
        shelf = Shelf(database, settings, clock, ground.schema_ready, rules_loaded)
        return Decider(decisions, shelf, settings, clock, numbers)

    def new_reception() -> DecisionReception:
        return DecisionReception(
            address_of=address_of(house.config),
            identify=house.tokens.identify,
            operators=ground.operators,
            calls_per_minute=settings.calls_per_minute,
        )

    routes = DecisionRoutes(
        reception=new_reception(),
        reports=new_reception(),  # counted apart: who may not ask any more may still answer
        decider=decider.ref,
        store=decisions,
        rules=rules,
        settings=settings,
        clock=clock,
        numbers=numbers,
    )
    endpoints = [
        *routes.endpoints(),
        *CampaignRoutes(rules, policy, clock).endpoints(),
        *ReleaseRoutes(rules, policy, clock).endpoints(),
        *AuditRoutes(LogStore(database), BookStore(database)).endpoints(),
        *PeopleRoutes(PeopleStore(database), SaltStore(database), settings.environment).endpoints(),
        *StatsRoutes(StatsStore(database), policy.visit_gap, clock).endpoints(),
    ]
    return Room([actor("decider", make_decider, decider)], endpoints)


def _sessions(ground: Ground) -> Room:
    """Who is using it?"""
    house, clock, settings = ground.house, ground.clock, ground.house.config.sessions
    database, schema_ready = house.database, ground.schema_ready
    numbers, sessions = SessionNumbers(ground.registry), SessionStore(database, settings)
    keys = SigningKeys(database, clock, schema_ready)
    recorder: Mailbox[RecorderMessage] = Mailbox("recorder", _RECORDER_MAILBOX)

    def make_recorder() -> Recorder:
        return Recorder(sessions, settings, numbers, schema_ready, keys.keep_current)

    def make_reaper() -> Reaper:
        return Reaper(sessions, settings, clock, numbers, schema_ready)

    def make_accountant() -> Accountant:
        return Accountant(database, settings, clock, schema_ready)

    routes = SessionRoutes(
        reception=SessionReception(address_of=address_of(house.config), verify=keys.verify, settings=settings),
        sign=keys.sign,
        recorder=recorder.ref,
        settings=settings,
        clock=clock,
        numbers=numbers,
    )
    endpoints = [
        *routes.endpoints(),
        *UsageRoutes(FiguresStore(database, settings), settings, clock).endpoints(),
        *ArchiveRoutes(ArchiveStore(database), settings, clock).endpoints(),
    ]
    minds = [
        actor("recorder", make_recorder, recorder),
        actor("reaper", make_reaper),
        actor("accountant", make_accountant),
    ]
    return Room(minds, endpoints)


def actor(name: str, start: Callable[[], Any], mailbox: Mailbox[Any] | None = None, grace: float = 5.0) -> ChildSpec:
    """A leaf of the tree. Without a mailbox of its own nobody speaks to it."""
    return ChildSpec(name=name, start=start, mailbox=mailbox or Mailbox(name, 1), grace=grace)


def supervisor(name: str, children: Sequence[ChildSpec]) -> ChildSpec:
    """A branch whose children do not depend on each other. It has all the time that its children have."""
    return ChildSpec(name=name, start=lambda: Supervisor(children), mailbox=Mailbox(name, 64), grace=math.inf)


def front_grace(config: Config) -> float:
    """The front ends by itself within its own limits; a second more is for closing what is left."""
    return config.web.drain_delay.total_seconds() + config.web.graceful_timeout.total_seconds() + 1.0


def upkeep(config: Config) -> dict[str, Upkeep]:
    """What each room wants to have done to its tables now and then."""
    return {
        "decisions": partial(decisions_maintenance.maintain, config.decisions),
        "sessions": partial(sessions_maintenance.maintain, config.sessions),
    }


def address_of(config: Config) -> Callable[[Request], str]:
    """How the client's address is found behind the configured proxies."""
    proxies = networks(config.web.trusted_proxies)
    return lambda request: client_address(request.peer, request.headers.get("x-forwarded-for"), proxies)
