"""Everything that is stored about one person: found, given out and erased, under whatever keys it is."""

from collections.abc import Sequence

import msgspec

from pulsekeeper.decisions.audit.dossiers import (
    MOST_BYTES,
    MOST_ROWS,
    Dossier,
    Erased,
    ImpressionRow,
    LinkRow,
    PersonState,
    ReleaseVisitRow,
    Totals,
    state_of,
)
from pulsekeeper.decisions.audit.log_store import logged
from pulsekeeper.postgres import queries
from pulsekeeper.postgres.database import Database
from pulsekeeper.postgres.queries import Query
from pulsekeeper.postgres.rows import Row
from pulsekeeper.postgres.statements import Statements
from pulsekeeper.postgres.transactions import Transaction

_Q = queries.load("pulsekeeper.decisions")

_ERASED_AT_ONCE = 10_000


class PeopleStore:
    """One person across all tables. Every method raises `errors.Unavailable` when the database is away.

    The person with a user's key is the user and every anonymous person who was linked to them. The person with an
    anonymous key is that one and, if exactly one user was ever linked to it, the person that this user is: a browser
    on which several users have logged in belongs to none of them alone.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def state(self, keys: Sequence[str]) -> PersonState | None:
        """What is known under the first of these keys that is known at all."""
        known = {state.person_key: state for state in await _states(self._database, keys)}
        return next((known[key] for key in keys if key in known), None)

    async def dossier(self, keys: Sequence[str]) -> Dossier:
        """Everything about the person with these keys, all of one moment."""
        async with self._database.transaction("repeatable read") as snapshot:
            person = await _person(snapshot, keys)
            rows = {"keys": person, "most": MOST_ROWS}
            rows_and_bytes = {**rows, "most_bytes": MOST_BYTES}
            dossier = Dossier(
                person_keys=tuple(person),
                totals=(await snapshot.fetch_as(Totals, _Q.totals_of_person, keys=person))[0],
                complete=True,
                states=tuple(await _states(snapshot, person)),
                links=tuple(map(_link, await snapshot.fetch(_Q.links_of_person, **rows_and_bytes))),
                decisions=tuple(map(logged, await snapshot.fetch(_Q.decisions_of_person, **rows_and_bytes))),
                impressions=tuple(await snapshot.fetch_as(ImpressionRow, _Q.impressions_of_person, **rows)),
                release_visits=tuple(await snapshot.fetch_as(ReleaseVisitRow, _Q.release_visits_of_person, **rows)),
            )
        return msgspec.structs.replace(dossier, complete=_is_complete(dossier))

    async def erase(self, keys: Sequence[str]) -> Erased:
        """Forget the person with these keys, in one transaction: all of it is gone, or nothing.

        Their rows are held from the beginning, so that nobody decides about them meanwhile. A node that still remembers
        them finds out at its next commit, and begins anew.
        """
        async with self._database.transaction() as transaction:
            person = await _hold(transaction, keys)
            await transaction.execute(_Q.unlink_from_others, keys=person)
            totals = Totals(
                states=await transaction.execute(_Q.erase_visitors, keys=person),
                links=await transaction.execute(_Q.erase_links, keys=person),
                decisions=await _erase_all(transaction, _Q.erase_decisions, person),
                impressions=await _erase_all(transaction, _Q.erase_impressions, person),
                release_visits=await transaction.execute(_Q.erase_release_visits, keys=person),
            )
        return Erased(person_keys=tuple(person), totals=totals)


async def _person(statements: Statements, keys: Sequence[str]) -> list[str]:
    return [row["key"] for row in await statements.fetch(_Q.keys_of_person, keys=keys)]


async def _hold(transaction: Transaction, keys: Sequence[str]) -> list[str]:
    """The keys of the person, once no link can be added to them: that takes the row of the user."""
    person, held = await _person(transaction, keys), list[str]()
    while person != held:
        await transaction.execute(_Q.hold_people, keys=person)
        person, held = await _person(transaction, keys), person
    return person


async def _erase_all(transaction: Transaction, query: Query, keys: Sequence[str]) -> int:
    total = 0
    while erased := await transaction.execute(query, keys=keys, limit=_ERASED_AT_ONCE):
        total += erased
    return total


async def _states(statements: Statements, keys: Sequence[str]) -> list[PersonState]:
    return [state_of(row["person_key"], row["state"]) for row in await statements.fetch(_Q.recall_visitors, keys=keys)]


def _link(row: Row) -> LinkRow:
    return LinkRow(
        person_key=row["person_key"],
        anonymous_key=row["anonymous_key"],
        linked_at=row["linked_at"],
        state_before=None if row["state_before"] is None else msgspec.Raw(row["state_before"]),
        anonymous_state=None if row["anonymous_state"] is None else msgspec.Raw(row["anonymous_state"]),
    )


def _is_complete(dossier: Dossier) -> bool:
    return dossier.totals == Totals(
        states=len(dossier.states),
        links=len(dossier.links),
        decisions=len(dossier.decisions),
        impressions=len(dossier.impressions),
        release_visits=len(dossier.release_visits),
    )
