"""How operators, or their deployment jobs, tell which releases there are."""

from typing import Any
from urllib.parse import quote

import msgspec

from pulsekeeper import errors
from pulsekeeper.clock import Clock
from pulsekeeper.decisions.rulebook import release_operations
from pulsekeeper.decisions.rulebook.reading import read_release_as
from pulsekeeper.decisions.rulebook.rule_store import RuleStore
from pulsekeeper.decisions.rules.campaigns import Release, ReleaseList
from pulsekeeper.decisions.rules.model import Policy
from pulsekeeper.web.bodies import decode
from pulsekeeper.web.endpoints import Endpoint
from pulsekeeper.web.preconditions import check_preconditions, json_unless_known, json_with_tag
from pulsekeeper.web.wire import Reply, Request, no_content

_encode = msgspec.json.encode


class ReleaseRoutes:
    """Decode, check, write, reply."""

    def __init__(self, rules: RuleStore, policy: Policy, clock: Clock) -> None:
        self._rules = rules
        self._policy = policy
        self._clock = clock

    def endpoints(self) -> tuple[Endpoint, ...]:
        """The routes of releases."""
        return (
            release_operations.list_releases(self.index),
            release_operations.show_release(self.show),
            release_operations.put_release(self.put),
            release_operations.remove_release(self.remove),
        )

    async def index(self, request: Request) -> Reply:
        """All of them, the latest first."""
        releases = await self._rules.releases()
        return json_unless_known(request, _encode(ReleaseList(tuple(releases.values()))))

    async def show(self, request: Request) -> Reply:
        """One of them."""
        return json_unless_known(request, _encode(_present(await self._rules.releases(), request)))

    async def put(self, request: Request) -> Reply:
        """Registers or corrects, as the preconditions allow."""
        release = read_release_as(request.path_params["id"], decode(request, dict[str, Any], unknown="ignore"))
        async with self._rules.edit(self._policy, self._clock()) as draft:
            before = draft.releases.get(release.id)
            check_preconditions(request, None if before is None else _encode(before))
            draft.releases[release.id] = release
        if before is None:
            location = f"/api/experience/releases/{quote(release.id, safe='')}"
            return json_with_tag(_encode(release), 201, headers=(("Location", location),))
        return json_with_tag(_encode(release))

    async def remove(self, request: Request) -> Reply:
        """Gone; where people stand with releases is left as it is."""
        async with self._rules.edit(self._policy, self._clock()) as draft:
            release = _present(draft.releases, request)
            check_preconditions(request, _encode(release))
            del draft.releases[release.id]
        return no_content()


def _present(releases: dict[str, Release], request: Request) -> Release:
    release_id = request.path_params["id"]
    if release_id not in releases:
        raise errors.NotFound(f"There is no release {release_id[:64]!r}.")
    return releases[release_id]
