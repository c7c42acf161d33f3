"""The rule book: campaigns, releases and policy, made ready for deciding fast, and named by the hash of its content.

Everything that can be worked out without knowing the person is worked out here, once for each change, so that a
decision only compares. The content is kept as bytes: a book that is opened from them again gives the same answers.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

import msgspec
from msgspec import Struct

from pulsekeeper.decisions.rules.campaigns import Campaign, Release
from pulsekeeper.decisions.rules.conditions import Check, checks_of
from pulsekeeper.decisions.rules.entries import Entry, entry_of
from pulsekeeper.decisions.rules.expressions.sights import Sights
from pulsekeeper.decisions.rules.findings import KnownFindings
from pulsekeeper.decisions.rules.model import Policy
from pulsekeeper.decisions.rules.releases import Releases
from pulsekeeper.decisions.rules.visits import Terms
from pulsekeeper.zones import known_zones

Part = TypeVar("Part", Campaign, Release)


class Content(Struct, frozen=True, kw_only=True, rename="camel"):
    """What a rule book is made of."""

    campaigns: tuple[Campaign, ...]
    releases: tuple[Release, ...]
    policy: Policy


class Edition(Struct, frozen=True):
    """One version of the rules, as it is kept."""

    parts: Content
    content: bytes
    """`parts` as canonical JSON: the same parts give the same bytes, in whatever order they came."""
    hash: str
    """SHA-256 of `content`, in hex."""


class RuleBook(Struct, frozen=True, kw_only=True):
    """Everything that decides, but for the person and the moment."""

    entries: tuple[Entry, ...]
    """In the order in which they win: priority, then more conditions, then id."""
    by_id: Mapping[str, Entry]
    campaign_ids: tuple[str, ...]
    """In the same order."""
    entries_with_checks: tuple[tuple[Entry, tuple[Check, ...]], ...]
    """The entries, each with what a visit has to pass for it."""
    terms: Terms
    parts: Content
    content: bytes
    """That of the edition, and its name."""
    hash: str
    findings: KnownFindings
    """What decisions came to before."""


def edition(campaigns: Iterable[Campaign], releases: Iterable[Release], policy: Policy) -> Edition:
    """The version that these make up. Of campaigns, or releases, with the same id the last one counts."""
    parts = Content(campaigns=_by_id(campaigns), releases=_by_id(releases), policy=policy)
    content = msgspec.json.encode(parts, order="sorted")
    return Edition(parts, content, hashlib.sha256(content).hexdigest())


def compile_book(campaigns: Iterable[Campaign], releases: Iterable[Release], policy: Policy) -> RuleBook:
    """Make a rule book. Never refuses: what has become invalid since it was stored only switches its campaign off.

    Of campaigns, or releases, with the same id the last one counts.
    """
    made_of = edition(campaigns, releases, policy)
    entries = tuple(sorted(map(entry_of, made_of.parts.campaigns), key=_rank))
    campaign_ids = tuple(entry.campaign.id for entry in entries)
    known_zones()  # read now: it takes tens of milliseconds, which no visitor should wait for
    return RuleBook(
        entries=entries,
        by_id={entry.campaign.id: entry for entry in entries},
        campaign_ids=campaign_ids,
        entries_with_checks=tuple((entry, checks_of(entry)) for entry in entries),
        terms=_terms(made_of.parts, entries),
        parts=made_of.parts,
        content=made_of.content,
        hash=made_of.hash,
        findings=KnownFindings(campaign_ids),
    )


def open_book(content: bytes) -> RuleBook:
    """The rule book that `content` was taken from. Raises `msgspec.DecodeError` if it is no rule book's content."""
    parts = msgspec.json.decode(content, type=Content)
    return compile_book(parts.campaigns, parts.releases, parts.policy)


def _by_id(parts: Iterable[Part]) -> tuple[Part, ...]:
    latest = {part.id: part for part in parts}
    return tuple(latest[key] for key in sorted(latest))


def _terms(content: Content, entries: Sequence[Entry]) -> Terms:
    exempt = frozenset(entry.campaign.id for entry in entries if entry.campaign.exempt.cooldown)
    expressions = [entry.expression for entry in entries if entry.expression is not None]
    return Terms(
        releases=Releases(content.releases),
        policy=content.policy,
        exempt=exempt,
        repeatable=Sights(each for each in expressions if each.is_repeatable),
        passing=Sights(each for each in expressions if not each.is_repeatable),
    )


def _rank(entry: Entry) -> tuple[int, int, str]:
    return -entry.campaign.priority, -entry.conditions, entry.campaign.id
