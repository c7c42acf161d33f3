"""What a room is given, and what it gives back."""

from collections.abc import Callable, Sequence
from typing import Any

import trio
from msgspec import Struct
from prometheus_client import CollectorRegistry

from pulsekeeper.access.operators import OperatorAuthenticator
from pulsekeeper.access.verifier import TokenVerifier
from pulsekeeper.actors.child import ChildSpec
from pulsekeeper.actors.mailbox import Mailbox
from pulsekeeper.checklist import Checklist
from pulsekeeper.clock import Clock
from pulsekeeper.config import Config
from pulsekeeper.postgres.database import Database
from pulsekeeper.web.endpoints import Endpoint
from pulsekeeper.web.identity import client_address, networks
from pulsekeeper.web.wire import Request


class Ground(Struct, frozen=True, kw_only=True):
    """What every room stands on."""

    config: Config
    clock: Clock
    database: Database
    schema_ready: trio.Event
    tokens: TokenVerifier
    operators: OperatorAuthenticator
    checklist: Checklist
    """What is missing before this node is ready."""
    registry: CollectorRegistry


class Room(Struct, frozen=True, kw_only=True):
    """What a room brings into the house."""

    minds: Sequence[ChildSpec]
    endpoints: Sequence[Endpoint]


def actor(name: str, start: Callable[[], Any], mailbox: Mailbox[Any] | None = None, grace: float = 5.0) -> ChildSpec:
    """A leaf of the tree. Without a mailbox of its own nobody speaks to it."""
    return ChildSpec(name=name, start=start, mailbox=mailbox or Mailbox(name, 1), grace=grace)


def address_of(config: Config) -> Callable[[Request], str]:
    """How the client's address is found behind the configured proxies."""
    proxies = networks(config.web.trusted_proxies)
    return lambda request: client_address(request.peer, request.headers.get("x-forwarded-for"), proxies)
