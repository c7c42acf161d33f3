"""The questions in hand, put together by person, and which rows it takes to answer them."""

from collections.abc import Mapping, Sequence

from msgspec import Struct

from pulsekeeper.decisions.rulebook.shelf import Rules
from pulsekeeper.decisions.rules.acks import AckRequest
from pulsekeeper.decisions.rules.model import DecideRequest
from pulsekeeper.decisions.rules.people import Asker, Person
from pulsekeeper.decisions.turns import Wish


class Ask(Struct, frozen=True):
    """One thing that somebody asks or reports, before it is known under which key they are."""

    asker: Asker
    what: DecideRequest | AckRequest
    explain: bool = False


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
    former_keys: Mapping[str, str]
    """For anonymous keys, the ones that they had under the previous salt, if there is one."""

    @property
    def keys(self) -> frozenset[str]:
        """Every row that is needed."""
        return self.browsers | self.turns.keys()


def gather(asks: Sequence[Ask], rules: Rules) -> Gathered:
    """Find out who asks what."""
    wishes, turns, former_keys = [], dict[str, list[int]](), dict[str, str]()
    for place, ask in enumerate(asks):
        wish = _wish(ask, rules)
        wishes.append(wish)
        turns.setdefault(wish.person.key, []).append(place)
        former = rules.former_key(ask.asker)
        if former is not None:
            former_keys[rules.anonymous_key(ask.asker)] = former
    browsers = frozenset(wish.anonymous_key for wish in wishes if wish.anonymous_key is not None)
    reporting = frozenset(wish.person.key for wish in wishes if isinstance(wish.what, AckRequest))
    return Gathered(wishes=wishes, turns=turns, browsers=browsers, fresh=browsers | reporting, former_keys=former_keys)


def _wish(ask: Ask, rules: Rules) -> Wish:
    person: Person = rules.person(ask.asker)
    # An address is no browser: whoever else is behind it must not become part of this user.
    has_browser = ask.asker.subject is not None and ask.asker.kind == "visitor"
    return Wish(
        person=person,
        what=ask.what,
        anonymous_key=rules.anonymous_key(ask.asker) if has_browser else None,
        explain=ask.explain,
    )
