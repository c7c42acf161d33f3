"""Installations, sessions and events, in PostgreSQL.

How a session stands is decided by the statement that writes it, with its row held: so it does not matter how many nodes
hear of it, or reap it, at the same time.
"""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from pulsekeeper.postgres import queries
from pulsekeeper.postgres.database import Database
from pulsekeeper.postgres.rows import Row
from pulsekeeper.postgres.transactions import Transaction
from pulsekeeper.sessions.columns import of_events, of_openings, of_speakers
from pulsekeeper.sessions.model import Settings
from pulsekeeper.sessions.records import LONG, Claims, Heard, Opening, Speech, Standing, Swept
from pulsekeeper.sessions.speakers import Speaker, is_in_time, speakers

_Q = queries.load("pulsekeeper.sessions")
_STANDINGS = {each.value: each for each in Standing}


class SessionStore:
    """The tables of sessions and events. Every method raises `errors.Unavailable` when the database is away.

    Rows are held in one order everywhere: installations, then sessions by id, then event ids by key.
    """

    def __init__(self, database: Database, settings: Settings) -> None:
        self._database = database
        # Seconds, and no intervals: those have days, which are as long as the server's time zone says.
        self._limits = {
            "timeout": settings.timeout.total_seconds(),
            "max_length": settings.max_length.total_seconds(),
        }
        self._late = settings.late.total_seconds()
        self._fresh = settings.fresh.total_seconds()
        self._max_length = settings.max_length

    async def start(self, openings: Sequence[Opening]) -> list[UUID]:
        """Open sessions. Gives the id of each one's installation, in the order of the openings."""
        parameters = of_openings(openings) | self._limits
        if not any(each.replace for each in openings):
            rows = await self._database.fetch(_Q.start_sessions, **parameters)
        else:
            async with self._database.transaction() as transaction:
                await transaction.execute(_Q.hold_installations, ids=parameters["known_as"])
                rows = await transaction.fetch(_Q.start_sessions, **parameters)
        return [row["installation_id"] for row in rows]

    async def speak(self, speeches: Sequence[Speech]) -> list[Heard]:
        """Store signs of life and events, in one statement. Gives what became of each speech, in their order.

        Those of one session count as one: they were received within moments of each other. A session that its client
        ends is alive for all of them.
        """
        places, heard = speakers(speeches, self._max_length)
        [row] = await self._database.fetch(
            _Q.speak,
            **of_speakers(heard),
            **of_events(speeches, places),
            late=self._late,
            fresh=self._fresh,
            long=LONG.total_seconds(),
            **self._limits,
        )
        standings = await self._standings(heard, row)
        return self._heard(speeches, [standings[place - 1] for place in places], _stored(speeches, row))

    async def withdraw(self, claims: Claims, *, erase: bool, at: datetime) -> Standing:
        """Take a consent back, in one transaction. `ENDED` when it is done, `UNKNOWN` without such an installation.

        Every session of the installation takes nothing more; with `erase` they are gone, with their events and what
        was counted of them. The installation's row stays, so that whatever comes later can be refused.
        """
        of = claims.installation_id
        async with self._database.transaction() as transaction:
            if not await transaction.fetch(_Q.withdraw_consent, id=of, at=at, erase=erase):
                return Standing.UNKNOWN
            await transaction.execute(_Q.withdraw_sessions, id=of, at=at, **self._limits)
            if erase and await transaction.fetch_value(_Q.has_sessions, id=of):
                await self._erase(transaction, of)
        return Standing.ENDED

    async def sweep(self, now: datetime, limit: int) -> Swept:
        """End silent sessions, and put the others off that were due: at most `limit` altogether."""
        [swept] = await self._database.fetch_as(Swept, _Q.sweep, now=now, limit=limit, **self._limits)
        return swept

    async def next_check(self) -> datetime | None:
        """When the first of the open sessions is due to be looked at; `None` when none is open."""
        due: datetime | None = await self._database.fetch_value(_Q.next_check)
        return due

    async def _erase(self, transaction: Transaction, installation_id: UUID) -> None:
        for query in (_Q.erase_events, _Q.erase_event_ids):
            await transaction.execute(query, id=installation_id)
        # Roll-ups are everybody's, so they are held for the shortest time, and in the order in which a rebuild does.
        await transaction.execute(_Q.take_out_of_counts, id=installation_id)
        await transaction.execute(_Q.take_out_of_presence, id=installation_id, fresh=self._fresh)
        await transaction.execute(_Q.erase_sessions, id=installation_id)

    async def _standings(self, heard: Sequence[Speaker], row: Row) -> list[Standing]:
        """By session. About those that are not there it is asked afterwards whether their consent was taken back: a
        session that is erased meanwhile is seen to be gone before its withdrawal is seen.
        """
        known = dict(zip(row["places"] or (), row["standings"] or (), strict=True))
        if len(known) == len(heard):
            return [_STANDINGS[known[place]] for place in range(1, len(heard) + 1)]
        of = {place: each.installation_id for place, each in enumerate(heard, 1)}
        unknown = [installation_id for place, installation_id in of.items() if place not in known]
        withdrawn = {row["id"] for row in await self._database.fetch(_Q.withdrawn_installations, ids=unknown)}
        otherwise = {place: "withdrawn" if of[place] in withdrawn else "unknown" for place in of}
        return [_STANDINGS[known.get(place, otherwise[place])] for place in of]

    def _heard(self, speeches: Sequence[Speech], standings: Sequence[Standing], stored: Sequence[int]) -> list[Heard]:
        heard = []
        for speech, standing, count in zip(speeches, standings, stored, strict=True):
            by_then = standing
            if standing is Standing.ALIVE and not is_in_time(speech, self._max_length):
                by_then = Standing.ENDED  # though what waited with it came in time
            heard.append(Heard(by_then, count))
        return heard


def _stored(speeches: Sequence[Speech], row: Row) -> list[int]:
    """How many events of each speech were stored: all of them, where nothing else is said."""
    if row["counts"] is None:
        return [len(each.events) for each in speeches]
    counts = dict(zip(row["calls"], row["counts"], strict=True))
    return [counts.get(number, 0) for number in range(1, len(speeches) + 1)]
