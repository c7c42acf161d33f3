"""Deciders as the house runs them, and what is said to them."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime

import msgspec
from prometheus_client import CollectorRegistry

from pulsekeeper.actors.child import ChildSpec
from pulsekeeper.actors.mailbox import Mailbox
from pulsekeeper.actors.supervisor import Supervisor
from pulsekeeper.actors.tree import open_tree
from pulsekeeper.decisions.decider import Acknowledge, Decide, Decider, Message
from pulsekeeper.decisions.numbers import Numbers
from pulsekeeper.decisions.rulebook.shelf import Shelf
from pulsekeeper.decisions.rules.acks import AckRequest
from pulsekeeper.decisions.rules.model import DecideReply, DecideRequest, Settings
from pulsekeeper.decisions.rules.people import Asker
from pulsekeeper.decisions.store import DecisionStore
from pulsekeeper.postgres.database import Database
from tests.support.decisions import NOW, loaded_shelf

DEFAULTS = Settings()


def report(outcome: str = "dismissed", visitor_id: str = "visitor-ann", of: str = "hello") -> Acknowledge:
    """What a browser reports of an offer."""
    asker = Asker(kind="visitor", value=visitor_id)
    return Acknowledge(asker, msgspec.convert({"campaignId": of, "outcome": outcome}, AckRequest))


def question(visitor_id: str = "visitor-ann") -> Decide:
    """What a browser asks."""
    asker = Asker(kind="visitor", value=visitor_id)
    return Decide(asker, DecideRequest(release_id="1.0", visitor_id=visitor_id))


def shown(reply: bytes) -> list[str]:
    """The campaigns of a reply."""
    return [each.campaign_id for each in msgspec.json.decode(reply, type=DecideReply).decisions]


@asynccontextmanager
async def running(decider: Callable[[], Decider], capacity: int = 1000) -> AsyncIterator[Mailbox[Message]]:
    """A supervised decider, which must not have crashed by the end."""
    mailbox: Mailbox[Message] = Mailbox("decider", capacity)
    supervisor = Supervisor([ChildSpec(name="decider", start=decider, mailbox=mailbox)])
    async with open_tree(supervisor) as started:
        await started.wait()
        yield mailbox
        assert supervisor.statuses()[0].restarts == 0


def node(
    database: Database, shelf: Shelf, of: Settings = DEFAULTS, now: Callable[[], datetime] = lambda: NOW
) -> Decider:
    """A decider on a database."""
    return Decider(DecisionStore(database), shelf, of, now, Numbers(CollectorRegistry()))


@asynccontextmanager
async def deciding(
    database: Database, of: Settings = DEFAULTS, now: Callable[[], datetime] = lambda: NOW
) -> AsyncIterator[Mailbox[Message]]:
    """A decider whose rules are loaded."""
    shelf = loaded_shelf(database, of)
    await shelf.refresh()
    async with running(lambda: node(database, shelf, of, now)) as mailbox:
        yield mailbox
