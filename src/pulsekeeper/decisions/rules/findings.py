"""What became of every campaign in a decision, put once into the words in which it is told and logged."""

from collections.abc import Sequence
from functools import cached_property
from typing import Literal

import msgspec

from pulsekeeper.decisions.rules.conditions import EXPRESSION_FAILED
from pulsekeeper.decisions.rules.model import Verdict

Finding = str | tuple[str, ...]
"""What became of one campaign: the code of its refusal, or, where it is shown, the reasons, the strongest first."""
MOST_FINDINGS = 100_000
"""In the memory of one rule book, in all that it remembers."""


class Findings:
    """What became of every campaign in a decision, and whatever follows from that alone: worked out once.

    Most decisions come to the same as some other did: everybody is refused by the same rules, and nothing is shown.
    """

    def __init__(self, campaign_ids: Sequence[str], found: Sequence[Finding]) -> None:
        self.campaign_ids = campaign_ids
        self.found = found

    @cached_property
    def verdicts(self) -> tuple[Verdict, ...]:
        """Each campaign of the book once, in the order in which they win."""
        return tuple(map(_verdict, self.campaign_ids, self.found))

    @cached_property
    def reasons(self) -> bytes:
        """Each campaign with its reason, as JSON."""
        return msgspec.json.encode(dict(zip(self.campaign_ids, map(_reason, self.found), strict=True)))

    @cached_property
    def failures(self) -> tuple[str, ...]:
        """The campaigns whose expression failed. They count as refused by it."""
        pairs = zip(self.campaign_ids, self.found, strict=True)
        return tuple(campaign_id for campaign_id, finding in pairs if finding == EXPRESSION_FAILED)


class KnownFindings:
    """What decisions by one rule book came to before. Never more than `MOST_FINDINGS`: at the bound it starts anew."""

    def __init__(self, campaign_ids: Sequence[str]) -> None:
        self._campaign_ids = campaign_ids
        self._known: dict[tuple[Finding, ...], Findings] = {}

    def __len__(self) -> int:
        return len(self._known)

    def of(self, found: tuple[Finding, ...]) -> Findings:
        """What became of the campaigns, one after the other: the same object as the last time, if it is remembered."""
        findings = self._known.get(found)
        if findings is None:
            if (len(self._known) + 1) * len(found) > MOST_FINDINGS:
                self._known.clear()
            findings = self._known[found] = Findings(self._campaign_ids, found)
        return findings


def _verdict(campaign_id: str, finding: Finding) -> Verdict:
    verdict: Literal["shown", "refused"] = "shown" if isinstance(finding, tuple) else "refused"
    return Verdict(campaign_id=campaign_id, verdict=verdict, reason=_reason(finding))


def _reason(finding: Finding) -> str:
    if isinstance(finding, tuple):
        return finding[0]
    return "expression" if finding == EXPRESSION_FAILED else finding
