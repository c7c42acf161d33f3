"""What to do next, when, and what an answer changes. Pure: it neither sends nor stores nor looks at a clock.

Drivers ask `next`, do what it says, and tell with `hear` what came of it. There is never more than one call under way.
"""

from math import inf

from pulsekeeper.client.answers import Done, Forbidden, Later, Meaning, Refused, SessionLost, TooLarge
from pulsekeeper.client.backoff import Jitter, pause_after
from pulsekeeper.client.model import MOST_BYTES, MOST_EVENTS, Kind, Pause, Receipt, Session
from pulsekeeper.client.outcomes import NOTHING, Outcome, delivered, given_up, in_the_wrong_session

MOST_TRIES = 5
"""How often a batch that the service refuses as a whole is offered."""
_SOONEST = 1.0
"""Seconds between two signs of life at least, whatever the service says."""


class Course:
    """The client's one line of thought."""

    def __init__(self, jitter: Jitter, delay: float) -> None:
        """`delay` is how many seconds an event may wait for others to travel with."""
        self.session: Session | None = None
        self.batch_limit = MOST_EVENTS
        """How many events to send at once; less for a while after the service found a call too large."""
        self.forbidden: str | None = None
        """Why nothing may be sent, or `None`."""
        self.failures = 0
        """Calls in a row that came to nothing."""
        self._jitter = jitter
        self._delay = delay
        self._not_before = -inf
        self._still_alive_at = inf
        self._batch_at = inf
        self._deadline = inf
        self._withdrawal: str | None = None
        self._proven = False  # whether the session was ever good for anything
        self._tries = 0

    @property
    def token(self) -> str | None:
        """What goes with the next call."""
        return self._withdrawal or (None if self.session is None else self.session.token)

    @property
    def is_ending(self) -> bool:
        """Whether it is on its way out."""
        return self._deadline != inf

    @property
    def is_withdrawing(self) -> bool:
        """Whether the service still has to be told that consent is withdrawn."""
        return self._withdrawal is not None

    def next(self, now: float, waiting: int, size: int = 0) -> Kind | Pause | None:
        """The call to make now, or how long there is none, or `None`: it is over.

        `waiting` is how many events do, `size` how many bytes they are.
        """
        kind, at = self._wish(now, waiting, size)
        at = max(at, self._not_before)
        if self.is_ending and (max(at, now) >= self._deadline or (kind is Kind.START and self.failures)):
            return None  # a program that ends does not wait for a service that was not there
        return kind if at <= now else Pause(at - now)

    def finish(self, deadline: float) -> None:
        """Send what waits, end the session, and be done by `deadline` whatever happens."""
        self._deadline = min(self._deadline, deadline)

    def withdraw(self, token: str | None) -> None:
        """Nothing more may be sent, except to say just that. The token is any that the installation had."""
        self.forbidden = "consent_withdrawn"
        self._not_before = -inf
        self._withdrawal = token if self.session is None else self.session.token

    def agree(self) -> None:
        """The user has agreed. A withdrawal that is still to be told is told first."""
        self.forbidden = None

    def hear(self, kind: Kind, meaning: Meaning, now: float, events: int = 0) -> Outcome:
        """Take in what came of a call, and say what it has settled of the so many events in it."""
        if kind is Kind.WITHDRAW:
            return self._heard_of_withdrawal(meaning, now)
        match meaning:
            case Session():
                return self._started(meaning, now)
            case Receipt():
                return self._delivered(meaning, now, events)
            case Done():
                return self._well(kind, now)
            case TooLarge() | Refused() if kind is Kind.INGEST:
                return self._not_taken(meaning, now, events)
            case _:
                return self._failed(kind, meaning, now)

    def _failed(self, kind: Kind, meaning: Meaning, now: float) -> Outcome:
        match meaning:
            case SessionLost():
                return self._lost(now)
            case Forbidden():
                return self._forbid(meaning.reason)
            case Later():
                return self._put_off(now, meaning.seconds)
            case _ if kind is Kind.END:
                return self._well(kind, now)  # over in any case
            case _:
                return self._put_off(now)

    def _wish(self, now: float, waiting: int, size: int) -> tuple[Kind, float]:
        if self._withdrawal is not None:
            return Kind.WITHDRAW, now
        if self.forbidden is not None:
            return Kind.END, inf
        if self.session is None:
            return Kind.START, (inf if self.is_ending and not waiting else now)
        if self.is_ending:
            return (Kind.INGEST if waiting else Kind.END), now
        return self._wish_in_session(now, waiting, size)

    def _wish_in_session(self, now: float, waiting: int, size: int) -> tuple[Kind, float]:
        if waiting >= self.batch_limit or size >= MOST_BYTES:
            return Kind.INGEST, now
        self._batch_at = min(self._batch_at, now + self._delay) if waiting else inf
        if self._batch_at <= self._still_alive_at:
            return Kind.INGEST, self._batch_at
        return Kind.STILL_ALIVE, self._still_alive_at

    def _started(self, session: Session, now: float) -> Outcome:
        """A session that begins after a withdrawal was decided has undone it on the service: it is to be told again."""
        self.session = session
        self._proven = False
        self._still_alive_at = now + max(_SOONEST, session.still_alive_seconds)
        if self.forbidden is not None:
            self._withdrawal = session.token
        return NOTHING

    def _well(self, kind: Kind, now: float) -> Outcome:
        self.failures = 0
        self._proven = True
        self._not_before = -inf
        if kind is Kind.END:
            self.session = None
        if self.session is not None:
            self._still_alive_at = now + max(_SOONEST, self.session.still_alive_seconds)
        return NOTHING

    def _delivered(self, receipt: Receipt, now: float, events: int) -> Outcome:
        """Events that only came in the wrong session are kept for the next one, a bounded number of times."""
        self._batch_at = inf
        kept = in_the_wrong_session(receipt)
        if kept and self._may_try_again():
            self._lost(now)
            return delivered(receipt, events, kept)
        self._tries = 0
        self._well(Kind.INGEST, now)
        self.batch_limit = min(MOST_EVENTS, 2 * self.batch_limit)
        return delivered(receipt, events, frozenset())

    def _put_off(self, now: float, seconds: float = 0.0) -> Outcome:
        self.failures += 1
        self._not_before = now + pause_after(self.failures, seconds, self._jitter)
        return NOTHING

    def _lost(self, now: float) -> Outcome:
        """The next session begins at once if this one was of any use; if not, something is wrong: not so fast."""
        was_good = self._proven
        self.session = None
        self._proven = False
        return NOTHING if was_good else self._put_off(now)

    def _forbid(self, reason: str) -> Outcome:
        self.forbidden = reason
        self.session = None
        return NOTHING

    def _not_taken(self, meaning: TooLarge | Refused, now: float, events: int) -> Outcome:
        """A batch that is too large is halved; one that is refused is offered again; both end some time."""
        is_too_large = isinstance(meaning, TooLarge)
        if is_too_large and events > 1:
            self.batch_limit = events // 2
            return NOTHING
        if not is_too_large and self._may_try_again():
            return self._put_off(now)
        self._tries = 0
        self._put_off(now)
        return given_up(events, "too_large" if is_too_large else "refused")

    def _may_try_again(self) -> bool:
        self._tries += 1
        return self._tries < MOST_TRIES

    def _heard_of_withdrawal(self, meaning: Meaning, now: float) -> Outcome:
        """Told; or there is nobody who would hear it: the token is too old, or the installation is unknown."""
        if isinstance(meaning, Later):
            return self._put_off(now, meaning.seconds)
        self._withdrawal = None
        self.session = None
        self.failures = 0
        return NOTHING
