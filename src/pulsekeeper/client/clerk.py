"""The worker's paperwork: from a call that is due to the request, and from an answer to what is kept."""

from collections.abc import Callable
from datetime import datetime

from pulsekeeper.client.answers import Meaning
from pulsekeeper.client.course import Course
from pulsekeeper.client.facts import Fact
from pulsekeeper.client.folder import Folder
from pulsekeeper.client.model import MOST_BYTES, Kind, Options, Pause, Request, Session
from pulsekeeper.client.outcomes import Outcome
from pulsekeeper.client.packing import (
    ENVELOPE,
    OVERHEAD,
    bare_request,
    ingest_request,
    start_request,
    withdraw_request,
)
from pulsekeeper.client.tally import Tally

_TURN = Pause(0.5)
"""While another process asks for the id of the installation."""
_AGAIN = Pause(0)


class Clerk:
    """Knows the folder and the wire, and decides nothing."""

    def __init__(
        self, options: Options, folder: Folder, wall: Callable[[], datetime], course: Course, tally: Tally
    ) -> None:
        self._options = options
        self._folder = folder
        self._wall = wall
        self._course = course
        self._tally = tally

    def request(self, kind: Kind, consent_version: str | None) -> Request | Pause:
        """The call as it goes out, or a pause if it cannot go out now."""
        match kind:
            case Kind.START:
                return self._start(consent_version)
            case Kind.INGEST:
                return self._ingest()
            case Kind.WITHDRAW:
                erase = self._folder.facts.get(Fact.WITHDRAWAL) == "erase"
                return withdraw_request(self._options, self._course.token, erase=erase)
            case _:
                return bare_request(self._options, kind, self._course.token)

    def settle(self, request: Request, outcome: Outcome) -> None:
        """Forget the events that need not be sent again."""
        spool = self._folder.spool
        if spool is None or not request.rows:
            return
        spool.remove([request.rows[place] for place in outcome.settled])
        spool.release()
        self._tally.settled(outcome)

    def remember(self, kind: Kind, means: Meaning) -> None:
        """What a later run has to know of an answer."""
        facts = self._folder.facts
        if isinstance(means, Session):
            facts.put(Fact.INSTALLATION, str(means.installation_id))
            facts.put(Fact.TOKEN, means.token)
        if kind is Kind.START:
            self._folder.was_first()
        if kind is Kind.WITHDRAW and not self._course.is_withdrawing:
            facts.put(Fact.WITHDRAWAL, None)
            facts.put(Fact.TOKEN, None)

    def _start(self, consent_version: str | None) -> Request | Pause:
        """Another process may have withdrawn meanwhile: a start would undo that."""
        facts = self._folder.facts
        self._course.forbidden = facts.get(Fact.FORBIDDEN)
        if self._course.forbidden is not None:
            return _AGAIN
        known_as = facts.get(Fact.INSTALLATION)
        if known_as is None and not self._folder.may_be_first():
            return _TURN
        return start_request(self._options, known_as, consent_version)

    def _ingest(self) -> Request | Pause:
        spool = self._folder.spool
        rows = [] if spool is None else spool.head(self._course.batch_limit, MOST_BYTES - ENVELOPE, OVERHEAD)
        if not rows:
            return _AGAIN  # they were withdrawn a moment ago
        self._tally.sent(len(rows))
        return ingest_request(self._options, self._course.token, rows, self._wall())
