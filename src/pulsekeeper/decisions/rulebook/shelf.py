"""The rules in force, and how they stay so: told of changes, and looked at now and then in case one was missed."""

import secrets

import msgspec
import structlog
import trio

from pulsekeeper import errors
from pulsekeeper.clock import Clock
from pulsekeeper.decisions.rulebook.rule_store import RULE_BOOK_CHANGED, RuleStore
from pulsekeeper.decisions.rulebook.salt_store import SALT_BYTES, Salts, SaltStore
from pulsekeeper.decisions.rules.book import RuleBook, compile_book
from pulsekeeper.decisions.rules.model import Settings
from pulsekeeper.decisions.rules.people import Asker, Person, Pseudonyms, user_key
from pulsekeeper.postgres.database import Database
from pulsekeeper.postgres.notices import drain

_log = structlog.get_logger(__name__)

_RETRY = 1.0
"""Seconds until another try when the rules could not be read."""


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that a decision needs besides the person's state."""

    revision: int
    book: RuleBook
    in_force: Pseudonyms
    """What anonymous people are known by."""
    previous: Pseudonyms | None
    """What they were known by before the last rotation of the salt."""

    def anonymous_key(self, asker: Asker) -> str:
        """The key of the browser or the address."""
        return self.in_force.key(asker.kind, asker.value)

    def former_key(self, asker: Asker) -> str | None:
        """The key that it had before the last rotation of the salt."""
        return None if self.previous is None else self.previous.key(asker.kind, asker.value)

    def person(self, asker: Asker) -> Person:
        """Who asks, under the key that is in force."""
        if asker.subject is not None:
            return Person(key=user_key(asker.subject), kind="user", authenticated=True, roles=asker.roles)
        return Person(key=self.anonymous_key(asker), kind=asker.kind)


def _pseudonyms(environment: str, salts: Salts) -> tuple[Pseudonyms, Pseudonyms | None]:
    former = None if salts.previous is None else Pseudonyms(environment, salts.previous)
    return Pseudonyms(environment, salts.in_force), former


class Shelf:
    """Where the rules in force stand. `rules` is `None` until they could be read for the first time."""

    def __init__(
        self, database: Database, settings: Settings, clock: Clock, schema_ready: trio.Event, loaded: trio.Event
    ) -> None:
        """`loaded` is set when there are rules for the first time; nothing is read before `schema_ready`."""
        self._database = database
        self._store = RuleStore(database)
        self._salts = SaltStore(database)
        self._settings = settings
        self._clock = clock
        self._schema_ready = schema_ready
        self._loaded = loaded
        self._refreshing = trio.Lock()
        self.rules: Rules | None = None

    async def refresh(self) -> None:
        """Read the rules. Raises `errors.Unavailable`, and leaves the old ones standing, when that cannot be done."""
        async with self._refreshing:  # who comes second finds it done
            await self._refresh()

    async def _refresh(self) -> None:
        now = self._clock()
        parts = await self._store.rule_book_parts()
        if self.rules is not None and parts.revision <= self.rules.revision:
            return
        # In a thread: with thousands of campaigns it takes long, and pages are decided by the old rules meanwhile.
        policy = self._settings.policy()
        book = await trio.to_thread.run_sync(compile_book, parts.campaigns, parts.releases, policy)
        await self._store.record_rule_book(book.hash, book.content, now)
        await self._salts.add_first(secrets.token_bytes(SALT_BYTES), now)
        in_force, previous = _pseudonyms(self._settings.environment, await self._salts.salts())
        self._put(Rules(revision=parts.revision, book=book, in_force=in_force, previous=previous))

    async def keep_current(self) -> None:
        """Refresh whenever a change is announced, and every `rule_book_refresh` anyway."""
        await self._schema_ready.wait()
        async with self._database.listen(RULE_BOOK_CHANGED) as notices:
            while True:
                with trio.move_on_after(await self._refresh_or_retry()):
                    await notices.receive()
                drain(notices)

    async def _refresh_or_retry(self) -> float:
        """Gives the seconds after which to try again without being told."""
        try:
            await self.refresh()
        except errors.Unavailable as outage:
            _log.warning("rules_not_read", reason=outage.detail)
            return _RETRY
        return self._settings.rule_book_refresh.total_seconds()

    def _put(self, rules: Rules) -> None:
        if self.rules is None or rules.revision > self.rules.revision:
            self.rules = rules
            self._loaded.set()
            _log.info(
                "rules_in_force", revision=rules.revision, campaigns=len(rules.book.entries), hash=rules.book.hash
            )
