"""What happens in a made-up session, from its beginning until its client is not heard of any more. Pure."""

import itertools
from collections.abc import Iterator, Sequence
from enum import Enum
from math import log
from random import Random

from msgspec import Struct

from pulsekeeper.sessions.model import Settings

_STORIES = (
    *("Button", "Card", "Input", "Table", "Dialog", "Select", "Menu", "Tabs", "Tooltip", "Checkbox", "Avatar", "Badge"),
    *("Alert", "Toast", "Form", "Grid", "Icon", "Link", "List", "Modal", "Navbar", "Pagination", "Popover", "Progress"),
    *("Radio", "Sidebar", "Skeleton", "Slider", "Spinner", "Stepper", "Switch", "Tree"),
)
_PAGES = ("home", "docs", "search", "changelog", "settings", "colours", "typography", "icons", "layout", "about")
_OTHERS = ("search_used", "theme_changed", "code_copied", "viewport_changed", "control_changed")
_STORY_WEIGHTS = [*itertools.accumulate(1 / rank for rank in range(1, len(_STORIES) + 1))]
_PAGE_WEIGHTS = [*itertools.accumulate(1 / rank for rank in range(1, len(_PAGES) + 1))]

_TYPICAL = 420.0
"""Seconds: as many sessions are longer as are shorter."""
_LONGEST = 4 * 3600.0
_PAUSE = 40.0
"""Seconds between two actions, on average."""
_MOST_ACTIONS = 250
_MOST_OPEN = 3
"""Stories at once."""
_LONG_ENOUGH_TO_REST = 900.0


class Ending(Enum):
    """How a client is lost."""

    FAREWELL = "it says so"
    SILENCE = "it is not heard of any more"
    OFFLINE = "it loses its connection, and tells the rest when it is back"
    WITHDRAWAL = "its user withdraws the consent"


class Action(Struct, frozen=True):
    """An event, as its client sees it."""

    offset: float
    """Seconds since the start."""
    name: str
    value: tuple[str, str] | None = None
    """A property and what it says."""


class Script(Struct, frozen=True, kw_only=True):
    """A session. Times are in seconds since its start."""

    actions: Sequence[Action]
    """In their order."""
    length: float
    ending: Ending
    offline: float
    """When the connection is lost; `length` where it is not."""
    rest: tuple[float, float]
    """A time in which the computer sleeps, and nothing is heard; empty in most sessions."""


def write_script(rng: Random, settings: Settings, ending: Ending) -> Script:
    """A session, in the words that are configured for what happens in it."""
    length = _length(rng)
    begins, ends = rest = _rest(rng, settings, length)
    actions = [*_actions(rng, settings, length)]
    if ending is Ending.FAREWELL:
        actions.append(Action(length, "session_ended"))
    return Script(
        actions=[Action(_awake(each.offset, begins, ends), each.name, each.value) for each in actions],
        length=_awake(length, begins, ends),
        ending=ending,
        offline=_awake(length * (rng.random() if ending is Ending.OFFLINE else 1.0), begins, ends),
        rest=rest,
    )


def _length(rng: Random) -> float:
    """Lognormal, but for those who only look in."""
    return rng.uniform(2, 25) if rng.random() < 0.12 else min(rng.lognormvariate(log(_TYPICAL), 1.2), _LONGEST)


def _rest(rng: Random, settings: Settings, length: float) -> tuple[float, float]:
    """Long enough to be away, and not so long that the session is over."""
    if length < _LONG_ENOUGH_TO_REST or rng.random() < 0.85:
        return length, length
    begins = length * rng.uniform(0.2, 0.8)
    still_alive, timeout = settings.still_alive.total_seconds(), settings.timeout.total_seconds()
    return begins, begins + max(rng.uniform(0.2, 0.8) * timeout - still_alive, 0.0)


def _awake(offset: float, begins: float, ends: float) -> float:
    """What would have happened in the rest happens after it."""
    return offset if offset < begins else offset + ends - begins


def _actions(rng: Random, settings: Settings, length: float) -> Iterator[Action]:
    yield Action(0.0, "session_started")
    offset, reading = rng.uniform(0.2, 10.0), list[str]()
    for _ in range(_MOST_ACTIONS):
        if offset >= length:
            return
        yield _action(rng, settings, offset, reading)
        offset += rng.expovariate(1 / _PAUSE)


def _action(rng: Random, settings: Settings, offset: float, reading: list[str]) -> Action:
    """What comes next; `reading` are the stories that are open. Not every story that is opened is closed."""
    dice = rng.random()
    if reading and dice < 0.45:
        return Action(offset, settings.closed_event, (settings.story_property, reading.pop()))
    if dice < 0.65 and len(reading) < _MOST_OPEN:
        reading.append(rng.choices(_STORIES, cum_weights=_STORY_WEIGHTS)[0])
        return Action(offset, settings.opened_event, (settings.story_property, reading[-1]))
    if dice < 0.85:
        page = rng.choices(_PAGES, cum_weights=_PAGE_WEIGHTS)[0]
        return Action(offset, settings.page_event, (settings.page_property, page))
    return Action(offset, rng.choice(_OTHERS))
