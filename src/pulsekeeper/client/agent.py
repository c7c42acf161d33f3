"""The client without its driver: it knows what is to be sent, and keeps what is not sent yet.

A driver asks `next` for a request, makes it, and gives what came back to `take`, one after the other. Everything else
may be called from any thread, and returns at once.
"""

import os
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from logging import WARNING
from uuid import UUID, uuid4

from pulsekeeper.client.answers import meaning
from pulsekeeper.client.backoff import Jitter
from pulsekeeper.client.clerk import Clerk
from pulsekeeper.client.course import Course
from pulsekeeper.client.facts import Fact
from pulsekeeper.client.folder import Folder
from pulsekeeper.client.model import MOST_BYTES, Answer, Clocks, Kind, Options, Pause, Request, Session, Stats
from pulsekeeper.client.packing import BadEvent, Scalar, event_of
from pulsekeeper.client.reporter import Reporter
from pulsekeeper.client.spool import Spool
from pulsekeeper.client.tally import Tally


class Agent:
    """What both drivers share."""

    def __init__(self, options: Options, folder: Folder, clocks: Clocks, jitter: Jitter) -> None:
        self._options = options
        self._folder = folder
        self._clocks = clocks
        self._course = Course(jitter, options.delay)
        self._consent_version = options.consent_version
        self._lock = threading.RLock()
        self._tally = Tally()
        self._clerk = Clerk(options, folder, clocks.wall, self._course, self._tally)
        self._reporter = Reporter()
        self._process = os.getpid()
        self._is_listening = False
        self._is_new = True
        self._left = 0  # events in the queue when it was closed
        self.installation_id: UUID | None = None
        """As the service has given it, in this run or in an earlier one."""
        self.wake: Callable[[], None] = lambda: None
        """Called when there is something to do earlier than was said. The driver's."""

    @property
    def session_id(self) -> UUID | None:
        """Of the session that is open now."""
        session = self._course.session
        return None if session is None else session.session_id

    @property
    def forbidden(self) -> str | None:
        """Why nothing may be sent, or `None`."""
        return self._course.forbidden

    @property
    def stats(self) -> Stats:
        """What has become of the events so far."""
        spool = self._folder.spool
        return self._tally.stats(self._left if spool is None else spool.count)

    def begin(self, *, consent: bool) -> None:
        """Remember what earlier runs have learnt. Without consent nothing is made on the disk, or sent.

        The one exception is a withdrawal that the service has not been told of yet.
        """
        with self._lock:
            facts = self._folder.facts
            with suppress(ValueError):
                self.installation_id = UUID(facts.get(Fact.INSTALLATION) or "")
            if facts.get(Fact.WITHDRAWAL) is not None:
                self._course.withdraw(facts.get(Fact.TOKEN))
            self._course.forbidden = facts.get(Fact.FORBIDDEN) or (None if consent else "no_consent")
            if self._course.forbidden is None:
                self._listen()
            else:
                self._reporter.state(f"nothing is sent: {self._course.forbidden}")

    def event(self, name: str, props: Mapping[str, Scalar]) -> None:
        """Something has happened. It is on its way when this returns, and survives the end of the program.

        A process that was forked from the one that began is another one, and has to make a client of its own.
        """
        spool = self._folder.spool
        if spool is None or not self._is_welcome():
            return
        try:
            event = event_of(uuid4(), name, self._clocks.wall(), props)
        except BadEvent as error:
            self._tally.rejected(error.reason)
            return
        size_before = spool.size
        self._tally.dropped(spool.add(event), "full")
        if self._course.forbidden is not None:  # a withdrawal came in between, in another thread
            self._tally.dropped(spool.clear(), "withdrawn")
        if self._has_work(spool, size_before):
            self.wake()

    def withdraw(self, *, erase: bool) -> None:
        """The user does not agree any more. From here on nothing is stored or sent, but the message that says so."""
        with self._lock:
            facts = self._folder.facts
            facts.put(Fact.FORBIDDEN, "consent_withdrawn")
            facts.put(Fact.WITHDRAWAL, "erase" if erase else "keep")
            self._course.withdraw(facts.get(Fact.TOKEN))
            self._stop()
        self.wake()

    def agree(self, version: str | None) -> None:
        """The user has agreed, now: whatever was remembered to the contrary is forgotten."""
        with self._lock:
            self._consent_version = version or self._options.consent_version
            self._folder.facts.put(Fact.FORBIDDEN, None)
            if not self._course.is_withdrawing:  # it can never be told, and must not be told of the next session
                self._folder.facts.put(Fact.WITHDRAWAL, None)
            self._course.agree()
            self._listen()
        self.wake()

    def finish(self) -> None:
        """Nothing more will happen: send what waits, end the session. It takes no longer than the options say."""
        with self._lock:
            self._is_listening = False
            self._course.finish(self._clocks.monotonic() + self._options.patience)
        self.wake()

    def close(self) -> None:
        """Let go of the files. What waits, waits for the next run."""
        with self._lock:
            self._is_listening = False
            self._left = self.stats.queued
            self._folder.close()

    def next(self) -> Request | Pause | None:
        """The request to make now, or how long there is none, or `None`: it is over."""
        with self._lock:
            spool = self._folder.spool
            if self._is_new and spool is not None:
                self._is_new = False
                self._tally.dropped(self._folder.adopt(), "full")
            waiting, size = (0, 0) if spool is None else (spool.count, spool.size)
            step = self._course.next(self._clocks.monotonic(), waiting, size)
            if spool is not None and spool.is_untidy:
                spool.tidy()
            if not isinstance(step, Kind):
                return step
            request = self._clerk.request(step, self._consent_version)
            if step is Kind.START and self._course.forbidden is not None:
                self._stop()  # another process has learnt of it
            return request

    def take(self, request: Request, answer: Answer | None) -> None:
        """What came back for a request; `None` is nothing."""
        with self._lock:
            events = len(request.rows)
            means = meaning(request.kind, answer, self._clocks.wall(), events)
            if isinstance(means, Session):
                self.installation_id = means.installation_id
            was_allowed = self._course.forbidden is None
            outcome = self._course.hear(request.kind, means, self._clocks.monotonic(), events)
            self._clerk.settle(request, outcome)
            self._clerk.remember(request.kind, means)
            if was_allowed and self._course.forbidden is not None:
                self._folder.facts.put(Fact.FORBIDDEN, self._course.forbidden)
                self._stop()
            self._reporter.course(self._course)

    def _has_work(self, spool: Spool, size_before: int) -> bool:
        """Whether the event that was added is the first to wait, fills a batch, or makes the queue untidy."""
        is_filled = spool.count == self._course.batch_limit or size_before < MOST_BYTES <= spool.size
        return spool.count == 1 or is_filled or spool.is_untidy

    def _is_welcome(self) -> bool:
        return self._is_listening and self._course.forbidden is None and self._process == os.getpid()

    def _listen(self) -> None:
        if self._course.is_ending:
            return
        self._folder.open()
        self._is_listening = True
        if self._folder.is_degraded:
            self._reporter.state("the folder cannot be used: events are kept in memory only", WARNING)

    def _stop(self) -> None:
        self._is_listening = False
        self._tally.dropped(self._folder.forget(), "withdrawn")
        self._reporter.course(self._course)
