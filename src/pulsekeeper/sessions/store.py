"""Installations, sessions and events, in PostgreSQL.

How a session stands is decided by the statement that writes it, with its row held: so it does not matter how many nodes
hear of it, or reap it, at the same time.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from pulsekeeper.postgres import queries
from pulsekeeper.postgres.database import Database
from pulsekeeper.postgres.driver import Row
from pulsekeeper.postgres.transactions import Transaction
from pulsekeeper.sessions.columns import of_events, of_openings
from pulsekeeper.sessions.model import Settings
from pulsekeeper.sessions.records import LONG, Claims, Heard, Opening, Speech, Standing, Swept

_Q = queries.load("pulsekeeper.sessions")


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
        places = _places(speeches)
        [row] = await self._database.fetch(
            _Q.speak,
            **self._of_sessions(speeches, places),
            **of_events(speeches),
            places=[places[each.claims.session_id] for each in speeches],
            ats=[each.at for each in speeches],
            acted=[each.acted for each in speeches],
            late=self._late,
            fresh=self._fresh,
            long=LONG.total_seconds(),
            **self._limits,
        )
        standings = _standings(row)
        if len(standings) < len(places):
            standings |= await self._standings_of_unknown(speeches, places, standings)
        return self._heard(speeches, places, standings, row)

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

    def _of_sessions(self, speeches: Sequence[Speech], places: Mapping[UUID, int]) -> dict[str, object]:
        """A row for each session. Its last sign of life is the last one that came before it had been open for too long.

        Where all came later it is the last of all, which changes nothing: the session is found to be over.
        """
        by_session: list[list[Speech]] = [[] for _ in places]
        for each in speeches:
            by_session[places[each.claims.session_id] - 1].append(each)
        in_time = [[each for each in group if self._is_in_time(each)] or group for group in by_session]
        return {
            "session_ids": [group[0].claims.session_id for group in by_session],
            "installation_ids": [group[0].claims.installation_id for group in by_session],
            "first_ats": [min(each.at for each in group) for group in by_session],
            "last_ats": [max(each.at for each in group) for group in in_time],
            "ends": [any(each.ends for each in group) for group in by_session],
        }

    def _is_in_time(self, speech: Speech) -> bool:
        return speech.at <= speech.claims.started_at + self._max_length

    async def _standings_of_unknown(
        self, speeches: Sequence[Speech], places: Mapping[UUID, int], known: Mapping[int, Standing]
    ) -> dict[int, Standing]:
        """Asked afterwards: a session that is erased meanwhile is seen to be gone before its withdrawal is seen."""
        unknown = {
            places[each.claims.session_id]: each.claims.installation_id
            for each in speeches
            if places[each.claims.session_id] not in known
        }
        rows = await self._database.fetch(_Q.withdrawn_installations, ids=list(unknown.values()))
        withdrawn = {row["id"] for row in rows}
        return {place: Standing.WITHDRAWN if of in withdrawn else Standing.UNKNOWN for place, of in unknown.items()}

    def _heard(
        self, speeches: Sequence[Speech], places: Mapping[UUID, int], standings: Mapping[int, Standing], row: Row
    ) -> list[Heard]:
        counts = dict(zip(row["speeches"] or (), row["counts"] or (), strict=True))
        heard = []
        for number, speech in enumerate(speeches, 1):
            standing = standings[places[speech.claims.session_id]]
            if standing is Standing.ALIVE and not self._is_in_time(speech):
                standing = Standing.ENDED  # by then it was, though what waited with it came in time
            heard.append(Heard(standing, counts.get(number, 0)))
        return heard


def _places(speeches: Sequence[Speech]) -> dict[UUID, int]:
    """The sessions, numbered from 1."""
    distinct = dict.fromkeys(each.claims.session_id for each in speeches)
    return {session_id: place for place, session_id in enumerate(distinct, 1)}


def _standings(row: Row) -> dict[int, Standing]:
    return {
        place: Standing(standing) for place, standing in zip(row["places"] or (), row["standings"] or (), strict=True)
    }
