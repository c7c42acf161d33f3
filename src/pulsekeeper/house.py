"""The composition root: what there is, how it is connected, and in which order it starts and stops. Read this first.

    root            rest_for_one    a crash takes along only what was started after it
    ├─ keepers      one_for_one     those who work for all others: schema
    ├─ minds        one_for_one     decider, caretaker
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
from pulsekeeper.decisions.audit.audit_routes import AuditRoutes
from pulsekeeper.decisions.audit.caretaker import Caretaker
from pulsekeeper.decisions.audit.log_store import BookStore, LogStore
from pulsekeeper.decisions.audit.maintenance import maintain
from pulsekeeper.decisions.audit.people_routes import PeopleRoutes
from pulsekeeper.decisions.audit.people_store import PeopleStore
from pulsekeeper.decisions.audit.stats_routes import StatsRoutes
from pulsekeeper.decisions.audit.stats_store import StatsStore
from pulsekeeper.decisions.decider import Decider, Message
from pulsekeeper.decisions.numbers import Numbers
from pulsekeeper.decisions.reception import Reception
from pulsekeeper.decisions.routes import DecisionRoutes
from pulsekeeper.decisions.rulebook.campaign_routes import CampaignRoutes
from pulsekeeper.decisions.rulebook.release_routes import ReleaseRoutes
from pulsekeeper.decisions.rulebook.rule_store import RuleStore
from pulsekeeper.decisions.rulebook.salt_store import SaltStore
from pulsekeeper.decisions.rulebook.shelf import Shelf
from pulsekeeper.decisions.store import DecisionStore
from pulsekeeper.postgres.database import Database, open_database
from pulsekeeper.postgres.schema import Schema
from pulsekeeper.web import tree
from pulsekeeper.web.app import App, create_app
from pulsekeeper.web.front import Front
from pulsekeeper.web.gate import Services
from pulsekeeper.web.identity import client_address, networks
from pulsekeeper.web.listening import Listening
from pulsekeeper.web.wire import Request

_DECIDER_MAILBOX = 4096
"""Questions that may wait. At the bound pages are told to show nothing: there is more load than this node can take."""


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
    config, database, registry = house.config, house.database, CollectorRegistry()
    schema_ready = house.checklist.expect("the database is not reached, or its schema is not up to date")
    rules_loaded = house.checklist.expect("the campaigns are not loaded")

    numbers = Numbers(registry)
    decisions = DecisionStore(database)
    rules, policy = RuleStore(database), config.decisions.policy()
    operators = OperatorAuthenticator(Keyring(config.auth, KeyStore(database), clock), house.tokens)
    decider: Mailbox[Message] = Mailbox("decider", _DECIDER_MAILBOX)

    def new_reception() -> Reception:
        return Reception(
            address_of=address_of(config),
            identify=house.tokens.identify,
            operators=operators,
            calls_per_minute=config.decisions.calls_per_minute,
        )

    routes = DecisionRoutes(
        reception=new_reception(),
        reports=new_reception(),  # counted apart: who may not ask any more may still answer
        decider=decider.ref,
        store=decisions,
        rules=rules,
        settings=config.decisions,
        clock=clock,
        numbers=numbers,
    )

    def make_schema() -> Schema:
        return Schema(database, clock, migrate_on_start=config.database.migrate_on_start, ready=schema_ready)

    def make_decider() -> Decider:
        shelf = Shelf(database, config.decisions, clock, schema_ready, rules_loaded)
        return Decider(decisions, shelf, config.decisions, clock, numbers)

    def make_caretaker() -> Caretaker:
        return Caretaker(partial(maintain, database, config.decisions), clock, schema_ready)

    def make_front() -> Front:
        return Front(app, config.web, house.listening)

    # The tree, in start order.
    root = Supervisor(
        [
            supervisor("keepers", [actor("schema", make_schema)]),
            supervisor("minds", [actor("decider", make_decider, decider), actor("caretaker", make_caretaker)]),
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
    endpoints = [
        *routes.endpoints(),
        *CampaignRoutes(rules, policy, clock).endpoints(),
        *ReleaseRoutes(rules, policy, clock).endpoints(),
        *AuditRoutes(LogStore(database), BookStore(database)).endpoints(),
        *PeopleRoutes(PeopleStore(database), SaltStore(database), config.decisions.environment).endpoints(),
        *StatsRoutes(StatsStore(database), policy.visit_gap, clock).endpoints(),
        tree.endpoint(root.statuses),
    ]
    app: App = create_app(endpoints, config.web, services)
    return root


def actor(name: str, start: Callable[[], Any], mailbox: Mailbox[Any] | None = None, grace: float = 5.0) -> ChildSpec:
    """A leaf of the tree. Without a mailbox of its own nobody speaks to it."""
    return ChildSpec(name=name, start=start, mailbox=mailbox or Mailbox(name, 1), grace=grace)


def supervisor(name: str, children: Sequence[ChildSpec]) -> ChildSpec:
    """A branch whose children do not depend on each other. It has all the time that its children have."""
    return ChildSpec(name=name, start=lambda: Supervisor(children), mailbox=Mailbox(name, 64), grace=math.inf)


def front_grace(config: Config) -> float:
    """The front ends by itself within its own limits; a second more is for closing what is left."""
    return config.web.drain_delay.total_seconds() + config.web.graceful_timeout.total_seconds() + 1.0


def address_of(config: Config) -> Callable[[Request], str]:
    """How the client's address is found behind the configured proxies."""
    proxies = networks(config.web.trusted_proxies)
    return lambda request: client_address(request.peer, request.headers.get("x-forwarded-for"), proxies)
