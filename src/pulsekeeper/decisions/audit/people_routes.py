"""One person, for operators: look, give out, erase."""

from collections.abc import Sequence
from urllib.parse import quote

from msgspec import UNSET

from pulsekeeper import errors
from pulsekeeper.decisions.audit import people_operations
from pulsekeeper.decisions.audit.dossiers import PersonQuery, reply_of
from pulsekeeper.decisions.audit.people_store import PeopleStore
from pulsekeeper.decisions.rulebook.salt_store import SaltStore
from pulsekeeper.decisions.rules.people import anonymous_key, user_key
from pulsekeeper.web.endpoints import Endpoint
from pulsekeeper.web.query import decode_query
from pulsekeeper.web.wire import Reply, Request, json_reply


class PeopleRoutes:
    """Find out who is meant, ask, reply."""

    def __init__(self, people: PeopleStore, salts: SaltStore, environment: str) -> None:
        self._people = people
        self._salts = salts
        self._environment = environment

    def endpoints(self) -> tuple[Endpoint, ...]:
        """The routes of people."""
        return (people_operations.show_person(self.show), people_operations.erase_person(self.erase))

    async def show(self, request: Request) -> Reply:
        """The state, and on request the rest. The header has the key under which it is stored."""
        query = decode_query(request, PersonQuery)
        keys = await self._keys(query)
        state = await self._people.state(keys)
        if state is None:
            raise errors.NotFound("Nothing is known of this person.")
        export = await self._people.dossier(keys) if query.export == "1" else UNSET
        return json_reply(reply_of(state, export), headers=(("Content-Location", _address(state.person_key)),))

    async def erase(self, request: Request) -> Reply:
        """Doing it twice is no error: the second time there is nothing left."""
        return json_reply(await self._people.erase(await self._keys(decode_query(request, PersonQuery))))

    async def _keys(self, query: PersonQuery) -> Sequence[str]:
        """The keys under which the person may be stored, the present one first."""
        query.check()
        if query.user_id is not None:
            return [user_key(query.user_id)]
        if query.visitor_id is not None:
            return await self._visitor_keys(query.visitor_id)
        return [query.person_key or ""]

    async def _visitor_keys(self, visitor_id: str) -> list[str]:
        salts = await self._salts.salts()
        known = [salts.in_force] if salts.previous is None else [salts.in_force, salts.previous]
        return [anonymous_key("visitor", visitor_id, environment=self._environment, salt=salt) for salt in known]


def _address(person_key: str) -> str:
    return f"{people_operations.PATH}?personKey={quote(person_key, safe=':')}"
