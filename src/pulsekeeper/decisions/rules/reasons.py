"""What made a campaign due, for the site, the log and whoever asks why."""

from pulsekeeper.decisions.rules.entries import Entry
from pulsekeeper.decisions.rules.visits import Visit


def reasons(entry: Entry, visit: Visit) -> tuple[str, ...]:
    """The codes of a campaign that is shown, the strongest first; there is always one.

    `first_visit` and `matched` are said only where nothing more particular can be.
    """
    found = tuple(code for code in (_release(entry, visit), _return(entry), _rollout(entry)) if code is not None)
    return found or (("first_visit",) if visit.is_first else ("matched",))


def _release(entry: Entry, visit: Visit) -> str | None:
    announced, before, releases = entry.campaign.trigger.release_id, visit.before, visit.terms.releases
    if announced is None or before is None or visit.away is None:
        return None
    registered = releases.get(announced)
    if registered is not None:
        was_here_since = visit.now - visit.away >= registered.released_at
    else:  # nobody knows when it came out, but perhaps the person has run it before
        visited = before.last_release_visited
        was_here_since = visited is not None and not releases.is_newer(announced, visited)
    return "release_unseen" if was_here_since else "first_visit_since_release"


def _return(entry: Entry) -> str | None:
    days = entry.campaign.trigger.min_days_since_last_seen
    return None if days is None else f"returning_after_{days}_days"


def _rollout(entry: Entry) -> str | None:
    is_partial = entry.campaign.rollout is not None or entry.flags
    return "feature_rollout" if is_partial else None
