"""How the database is reached: the `[database]` section of the configuration."""

from typing import Annotated

import msgspec

from pulsekeeper.postgres.urls import DatabaseUrl
from pulsekeeper.scalars import Duration


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything about the database that an operator may set."""

    url: DatabaseUrl = DatabaseUrl("")
    """`postgresql://user:password@host:port/name`, PostgreSQL 14 or newer. Empty: a server of our own in `data_dir`."""
    data_dir: str = "data"
    """Folder of the embedded server, created when missing. Unused when `url` is set."""
    migrate_on_start: bool = True
    """Bring the schema up to date before serving. Off where `pulsekeeper migrate up` is a step of the deployment."""
    pool_size: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 10
    """The most connections that one node opens for statements. Each subscription to notices takes one more."""
    connect_timeout: Duration = Duration(seconds=3)
    """How long one attempt to connect may take, login included."""
    acquire_timeout: Duration = Duration(seconds=5)
    """How long a statement waits for a free connection before the database counts as unavailable."""
    statement_timeout: Duration = Duration(seconds=30)
    """How long one statement may take. Migrations are exempt."""
    exit_timeout: Duration = Duration(seconds=5)
    """How long the end of a transaction, which nothing can cancel, may take before its connection is given up."""
    idle_timeout: Duration = Duration(minutes=5)
    """A connection unused for longer is replaced, for a firewall may have forgotten it without a word."""
    listen_check: Duration = Duration(seconds=10)
    """How often a connection that only listens is asked for a sign of life."""
