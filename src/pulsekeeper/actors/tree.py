"""Runs the topmost supervisor."""

import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio

from pulsekeeper.actors.inbox import Stop
from pulsekeeper.actors.life import Life
from pulsekeeper.actors.mailbox import Mailbox
from pulsekeeper.actors.supervisor import Supervisor


@asynccontextmanager
async def open_tree(root: Supervisor) -> AsyncIterator[trio.Event]:
    """Run `root` for as long as the block runs, and stop it for good, in order, when the block ends.

    The value is an event: everything has started. When the root's budget is spent, the block is cancelled and
    `BudgetSpent` is raised: there is no further supervisor but the one outside of the process. However it ends, whoever
    still waits for an answer from the tree is told.
    """
    started = trio.Event()
    try:
        async with trio.open_nursery() as nursery:

            def on_ended() -> None:
                if life.inbox.stop is None:  # nobody asked it to end: the block has lost its tree
                    nursery.cancel_scope.cancel()

            life = Life(lambda: root, Mailbox("root", 1), on_started=started.set, on_ended=on_ended)
            nursery.start_soon(life.run)
            try:
                yield started
            finally:  # whoever cancels meanwhile has run out of patience: then all of it is cancelled at once
                await life.stop(Stop.FOR_GOOD, math.inf)
    finally:
        for mailbox in root.mailboxes():
            mailbox.discard()
    if life.error is not None:
        raise life.error
