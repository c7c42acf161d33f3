"""The questions in hand, put together by person, and which rows it takes to answer them."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from msgspec import Struct

from pulsekeeper.decisions.rulebook.shelf import Rules
from pulsekeeper.decisions.rules.acks import AckRequest
from pulsekeeper.decisions.rules.model import DecideRequest
from pulsekeeper.decisions.rules.people import Asker
from pulsekeeper.decisions.turns import Wish


class Asked(Protocol):
    """One thing that somebody asks or reports, before it is known under which key they are."""

    @property
    def asker(self) -> Asker:
        """Who."""

    @property
    def what(self) -> DecideRequest | AckRequest:
        """What."""

    @property
    def explain(self) -> bool:
        """Whether the reply says what became of every campaign."""


class Gathered(Struct, frozen=True, kw_only=True):
    """A batch, ready to be decided."""

    wishes: Sequence[Wish]
    """In the order in which they were asked."""
    turns: Mapping[str, Sequence[int]]
    """For each person's key, the places of their wishes."""
    browsers: frozenset[str]
    """The anonymous keys of users: their rows are read, not written."""
    fresh: frozenset[str]
    """The rows that memory must not stand for: nothing need be written for them, so a stale one would go unnoticed."""
    strangers: Mapping[str, Asker]
    """Who is behind the anonymous keys."""
    rules: Rules

    @property
    def keys(self) -> frozenset[str]:
        """Every row that is needed."""
        return self.browsers | self.turns.keys()

    @property
    def former_keys(self) -> Mapping[str, str]:
        """For anonymous keys, the ones that they had under the previous salt, if there is one.

        Worked out only when somebody asks, which is when a row is not remembered.
        """
        formers = {key: self.rules.former_key(asker) for key, asker in self.strangers.items()}
        return {key: former for key, former in formers.items() if former is not None}


def gather(questions: Sequence[Asked], rules: Rules) -> Gathered:
    """Find out who asks what."""
    wishes: list[Wish] = []
    turns: dict[str, list[int]] = {}
    strangers: dict[str, Asker] = {}
    browsers, reporting = set[str](), set[str]()
    for place, question in enumerate(questions):
        asker = question.asker
        person = rules.person(asker)
        browser = _browser(asker, rules)
        if browser is not None:
            browsers.add(browser)
            strangers[browser] = asker
        elif asker.subject is None:
            strangers[person.key] = asker
        if isinstance(question.what, AckRequest):
            reporting.add(person.key)
        wishes.append(Wish(person=person, what=question.what, anonymous_key=browser, explain=question.explain))
        turns.setdefault(person.key, []).append(place)
    return Gathered(
        wishes=wishes,
        turns=turns,
        browsers=frozenset(browsers),
        fresh=frozenset(browsers | reporting),
        strangers=strangers,
        rules=rules,
    )


def _browser(asker: Asker, rules: Rules) -> str | None:
    """The anonymous key of a user. An address is no browser: whoever else is behind it must not become part of them."""
    return None if asker.subject is None or asker.kind == "ip" else rules.anonymous_key(asker)
