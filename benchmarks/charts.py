"""Which figures of a table make a picture. How they are drawn is for `plots` to know."""

from collections.abc import Mapping

from msgspec import Struct


class Axis(Struct, frozen=True, kw_only=True):
    """What a chart has from left to right."""

    name: str
    """The figure of a row; rows without it are left out."""
    title: str
    """With its unit."""
    is_log: bool = False


class Panel(Struct, frozen=True, kw_only=True):
    """One set of lines above the axis."""

    title: str
    """With its unit."""
    figures: Mapping[str, str]
    """One line for each: the title, by the name of the figure."""
    factor: float = 1.0
    is_log: bool = False


class Chart(Struct, frozen=True, kw_only=True):
    """One picture of a table. Rows whose first labels are the same make a line; panels stand side by side."""

    file: str
    """The name of the picture, without a folder and what follows the dot."""
    title: str
    x: Axis
    panels: tuple[Panel, ...]
