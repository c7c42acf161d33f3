"""Whether a node's memory of visitors is worth being believed. Pure."""

_WINDOW = 64
"""How many people it takes to change one's mind."""
_MOST = 0.3
"""From this share of overtaken states on, reading them all first is cheaper than finding out at the commit."""
_WANING = 0.99
"""What is left of the doubt after a batch for which memory was not asked: so that it is asked again some day."""


class Trust:
    """The share of remembered people whom somebody else has changed meanwhile, as far as was seen of late.

    Where visitors keep to a node it is near zero, and nothing has to be read. Where a load balancer deals them out over
    several nodes, most of what each of them remembers is overtaken, and believing it means to decide twice.
    """

    def __init__(self) -> None:
        self._overtaken = 0.0

    @property
    def is_justified(self) -> bool:
        """Whether to believe the memory this time."""
        return self._overtaken < _MOST

    def note(self, believed: int, overtaken: int) -> None:
        """The states of so many people were believed, and so many of them wrongly."""
        if believed:
            weight = min(believed / _WINDOW, 1.0)
            self._overtaken += (overtaken / believed - self._overtaken) * weight

    def wane(self) -> None:
        """A batch went by without the memory."""
        self._overtaken *= _WANING
