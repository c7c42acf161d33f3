"""Pages that ask a decider and report to it, for tests of what decisions leave behind."""

from collections.abc import Iterable

import msgspec
import trio

from pulsekeeper.actors.mailbox import Mailbox
from pulsekeeper.decisions.decider import Acknowledge, Decide, Message
from pulsekeeper.decisions.rules.acks import AckRequest
from pulsekeeper.decisions.rules.model import DecideReply, DecideRequest
from pulsekeeper.decisions.rules.people import Asker
from tests.support.decisions import settings

PATIENT = settings(patience="30s", visit_gap="0s")
"""Every call is a visit, and a slow machine fails no test."""


def browser(visitor_id: str) -> Asker:
    """Somebody of whom only the browser's id is known."""
    return Asker(kind="visitor", value=visitor_id)


def user(subject: str, visitor_id: str) -> Asker:
    """Somebody who has logged in on a browser."""
    return Asker(kind="visitor", value=visitor_id, subject=subject)


async def decide(decider: Mailbox[Message], asker: Asker, **members: object) -> DecideReply:
    """Ask as a page does; `members` are JSON."""
    request = msgspec.convert({"releaseId": "1.0", **members}, DecideRequest)
    reply = await decider.ref.ask(Decide(asker, request))
    return msgspec.json.decode(reply, type=DecideReply)


async def decide_all(decider: Mailbox[Message], asked: Iterable[tuple[Asker, dict[str, object]]]) -> None:
    """Many pages at once, so that they share commits."""
    async with trio.open_nursery() as nursery:
        for asker, members in asked:
            nursery.start_soon(_decide, decider, asker, members)


async def acknowledge(decider: Mailbox[Message], asker: Asker, campaign_id: str, outcome: str) -> None:
    """Report as a page does; there must be such an offer."""
    report = msgspec.convert({"campaignId": campaign_id, "outcome": outcome}, AckRequest)
    assert await decider.ref.ask(Acknowledge(asker, report))


async def _decide(decider: Mailbox[Message], asker: Asker, members: dict[str, object]) -> None:
    await decide(decider, asker, **members)
