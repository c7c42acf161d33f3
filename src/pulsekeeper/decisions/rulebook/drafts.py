"""A change of the rules before it is committed: all campaigns and releases as they will be."""

from collections.abc import Mapping

from pulsekeeper.decisions.rulebook.definitions import Difference, compare
from pulsekeeper.decisions.rules.campaigns import Release
from pulsekeeper.errors import Conflict

MOST = 10_000
"""Campaigns that there may be at once, and as many releases."""


class Draft:
    """What there is, to be changed in place."""

    def __init__(self, campaigns: Mapping[str, bytes], releases: Mapping[str, Release]) -> None:
        self._campaigns_before = dict(campaigns)
        self._releases_before = dict(releases)
        self.campaigns = dict(campaigns)
        """The definitions as they are stored, by id."""
        self.releases = dict(releases)

    def changed_campaigns(self) -> Difference:
        """What is to be written. Raises `errors.Conflict` when there are too many."""
        return _bounded("campaigns", self._campaigns_before, self.campaigns)

    def changed_releases(self) -> Difference:
        """The same for releases."""
        return _bounded("releases", self._releases_before, self.releases)


def _bounded(what: str, before: Mapping[str, object], after: Mapping[str, object]) -> Difference:
    difference = compare(before, after)
    if difference.added and len(after) > MOST:
        raise Conflict(f"There may be {MOST} {what}, and this would make {len(after)}: remove some first.")
    return difference
