"""The time zones that there are. A client's word for one is looked up here, and never becomes the name of a file."""

import re
from functools import cache, lru_cache
from zoneinfo import ZoneInfo, available_timezones

_NAME = re.compile(r"[A-Za-z0-9_+\-/]{1,64}")


@cache
def known_zones() -> frozenset[str]:
    """The names of all zones. Reads all zone files once, tens of milliseconds: call it before the traffic."""
    return frozenset(available_timezones())


def zone_named(name: str) -> ZoneInfo | None:
    """The zone of an IANA name, such as `Europe/Berlin`; `None` when nobody knows it.

    Zones are remembered; what is no name of a zone, which anybody may invent, displaces none of them.
    """
    # The form first, so that hashing a long invention costs nothing; the list next, before any file is looked for.
    return _zone(name) if _NAME.fullmatch(name) and name in known_zones() else None


@lru_cache(maxsize=1024)
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)
