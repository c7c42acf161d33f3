"""What a rule book is made of, and what names it."""

import hashlib

import msgspec
import pytest
from msgspec.structs import replace

from pulsekeeper.decisions.rules import findings
from pulsekeeper.decisions.rules.book import compile_book, open_book
from pulsekeeper.decisions.rules.campaigns import Cap, Release
from pulsekeeper.decisions.rules.model import Policy
from tests.support.rules import DAY, NOW, RELEASE, ask, campaign, reason, winners

ONE, OTHER = campaign("one", messagePayload={"b": 1, "a": 2}), campaign("other", priority=3)
POLICY = Policy()


def test_the_hash_is_that_of_the_content() -> None:
    book = compile_book([ONE, OTHER], [RELEASE], POLICY)
    assert book.hash == hashlib.sha256(book.content).hexdigest()


def test_the_order_of_the_parts_does_not_matter() -> None:
    other_release = Release(id="2025.9.30", released_at=NOW - 30 * DAY)
    assert (
        compile_book([ONE, OTHER], [RELEASE, other_release], POLICY).content
        == compile_book([OTHER, ONE], [other_release, RELEASE], POLICY).content
    )


def test_the_order_of_keys_in_a_payload_does_not_matter() -> None:
    """The database keeps no order of keys; the hash must not depend on it."""
    turned = replace(ONE, message_payload={"a": 2, "b": 1})
    assert compile_book([turned], (), POLICY).hash == compile_book([ONE], (), POLICY).hash


@pytest.mark.parametrize(
    "changed",
    [
        compile_book([replace(ONE, priority=1)], [RELEASE], POLICY),
        compile_book([ONE], [], POLICY),
        compile_book([ONE], [RELEASE], replace(POLICY, quiet_after=6)),
        compile_book([replace(ONE, message_payload={})], [RELEASE], POLICY),
    ],
)
def test_whatever_changes_an_answer_changes_the_hash(changed: object) -> None:
    assert getattr(changed, "hash", None) != compile_book([ONE], [RELEASE], POLICY).hash


def test_a_book_that_is_opened_again_is_the_same() -> None:
    book = compile_book([ONE, OTHER], [RELEASE], replace(POLICY, quiet_after=2))
    again = open_book(book.content)
    assert (again.hash, again.content, again.parts) == (book.hash, book.content, book.parts)
    assert winners(ask(again)) == winners(ask(book)) == ["other"]


def test_what_is_no_content_cannot_be_opened() -> None:
    with pytest.raises(msgspec.DecodeError):
        open_book(b"{}")


def test_of_two_with_the_same_id_the_last_counts() -> None:
    assert len(compile_book([ONE, replace(ONE, active=False)], (), POLICY).entries) == 1
    assert reason(compile_book([ONE, replace(ONE, active=False)], (), POLICY)) == "inactive"


def test_a_cap_that_can_no_longer_be_read_switches_its_campaign_off() -> None:
    frequency = replace(ONE.frequency, caps=(Cap(cap=1, period="P1F"),))
    assert reason(compile_book([replace(ONE, frequency=frequency)], (), POLICY)) == "inactive"


def test_what_decisions_come_to_is_worked_out_once() -> None:
    book = compile_book([ONE, OTHER], (), POLICY)
    assert ask(book).findings is ask(book).findings
    assert ask(book).findings.reasons == b'{"other":"first_visit","one":"outranked"}'
    assert ask(book).findings is not ask(compile_book([ONE, OTHER], (), POLICY)).findings


def test_only_so_much_of_what_decisions_came_to_is_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(findings, "MOST_FINDINGS", 10)
    book = compile_book([ONE, OTHER], (), POLICY)
    for number in range(20):
        found = book.findings.of(("inactive", f"code-{number}"))
        assert [verdict.reason for verdict in found.verdicts] == ["inactive", f"code-{number}"]
        assert len(book.findings) * 2 <= 10
