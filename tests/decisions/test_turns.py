import msgspec

from pulsekeeper.decisions.book import compile_book
from pulsekeeper.decisions.model import DecideReply, DecideRequest, VisitorState
from pulsekeeper.decisions.people import Person
from pulsekeeper.decisions.records import NOBODY, Stored
from pulsekeeper.decisions.turns import decide_in_turn
from pulsekeeper.ids import made_at
from tests.support.decisions import NOW, campaign, settings

ANN = Person(key="visitor:ann", kind="visitor")
REQUEST = DecideRequest(release_id="1.0", visitor_id="ann-from-the-browser")
BOOK = compile_book([campaign("hello")], [], settings().policy())


def replies(write: object) -> list[DecideReply]:
    return [msgspec.json.decode(row.reply, type=DecideReply) for row in write.log]  # type: ignore[attr-defined]


def test_each_question_is_decided_on_what_the_one_before_left_behind() -> None:
    write = decide_in_turn(BOOK, ANN, NOBODY, [REQUEST, REQUEST, REQUEST], NOW)

    assert [[shown.campaign_id for shown in reply.decisions] for reply in replies(write)] == [["hello"], [], []]
    assert write.log[0].state_before is None


def test_the_versions_tell_what_was_seen_and_what_is_written() -> None:
    first = decide_in_turn(BOOK, ANN, NOBODY, [REQUEST], NOW)
    second = decide_in_turn(BOOK, ANN, Stored(first.new_version, first.state), [REQUEST, REQUEST], NOW)

    assert (first.seen_version, first.new_version) == (0, 1)
    assert (second.seen_version, second.new_version) == (1, 3)
    assert msgspec.json.decode(second.state, type=VisitorState).version == 3


def test_the_log_has_the_state_that_was_decided_on() -> None:
    first = decide_in_turn(BOOK, ANN, NOBODY, [REQUEST], NOW)
    second = decide_in_turn(BOOK, ANN, Stored(1, first.state), [REQUEST], NOW)

    assert second.log[0].state_before == first.state


def test_the_log_does_not_know_the_browsers_own_id() -> None:
    write = decide_in_turn(BOOK, ANN, NOBODY, [REQUEST], NOW)

    assert b"ann-from-the-browser" not in msgspec.json.encode(write)


def test_a_decisions_id_is_dated() -> None:
    write = decide_in_turn(BOOK, ANN, NOBODY, [REQUEST], NOW)

    assert made_at(write.log[0].decision_id) == NOW
    assert replies(write)[0].decision_id == str(write.log[0].decision_id)
