"""Questions are put together by person, and name every row that it takes to answer them."""

from pulsekeeper.decisions.decider import Acknowledge, Decide, Message
from pulsekeeper.decisions.gathering import Gathered, gather
from pulsekeeper.decisions.rulebook.shelf import Rules
from pulsekeeper.decisions.rules.acks import AckRequest
from pulsekeeper.decisions.rules.book import compile_book
from pulsekeeper.decisions.rules.model import DecideRequest
from pulsekeeper.decisions.rules.people import Asker, Pseudonyms, anonymous_key
from tests.support.decisions import settings

REQUEST = DecideRequest(release_id="1.0")
BROWSER = Asker(kind="visitor", value="browser-1")
ADDRESS = Asker(kind="ip", value="203.0.113.7")
USER = Asker(kind="visitor", value="browser-1", subject="ann", roles=("organizer",))
USER_WITHOUT_BROWSER = Asker(kind="ip", value="203.0.113.7", subject="bob")


def key(asker: Asker, salt: bytes = b"new") -> str:
    return anonymous_key(asker.kind, asker.value, environment="test", salt=salt)


def gathered(*questions: Message, former_salt: bytes | None = None) -> Gathered:
    previous = None if former_salt is None else Pseudonyms("test", former_salt)
    book = compile_book([], [], settings().policy())
    return gather(questions, Rules(revision=1, book=book, in_force=Pseudonyms("test", b"new"), previous=previous))


def test_questions_are_put_together_by_person_in_their_order() -> None:
    batch = gathered(Decide(BROWSER, REQUEST), Decide(ADDRESS, REQUEST, explain=True), Decide(BROWSER, REQUEST))

    assert batch.turns == {key(BROWSER): [0, 2], key(ADDRESS): [1]}
    assert [wish.person.key for wish in batch.wishes] == [key(BROWSER), key(ADDRESS), key(BROWSER)]
    assert [wish.explain for wish in batch.wishes] == [False, True, False]
    assert batch.keys == {key(BROWSER), key(ADDRESS)}


def test_a_user_s_browser_is_read_and_the_address_of_one_is_not() -> None:
    batch = gathered(Decide(USER, REQUEST), Decide(USER_WITHOUT_BROWSER, REQUEST))

    assert batch.keys == {"user:ann", "user:bob", key(BROWSER)}
    assert batch.browsers == batch.fresh == {key(BROWSER)}
    assert [wish.anonymous_key for wish in batch.wishes] == [key(BROWSER), None]
    assert batch.wishes[0].person.roles == ("organizer",)


def test_who_reports_is_read_afresh() -> None:
    report = AckRequest(campaign_id="hello", outcome="shown")
    batch = gathered(Acknowledge(BROWSER, report), Decide(ADDRESS, REQUEST))

    assert batch.fresh == {key(BROWSER)}


def test_former_keys_are_those_of_the_salt_before() -> None:
    questions = (Decide(BROWSER, REQUEST), Decide(ADDRESS, REQUEST), Decide(USER_WITHOUT_BROWSER, REQUEST))

    assert gathered(*questions).former_keys == {}
    assert gathered(*questions, former_salt=b"old").former_keys == {
        key(BROWSER): key(BROWSER, b"old"),
        key(ADDRESS): key(ADDRESS, b"old"),
    }


def test_the_former_key_of_a_user_s_browser_is_known_too() -> None:
    assert gathered(Decide(USER, REQUEST), former_salt=b"old").former_keys == {key(BROWSER): key(BROWSER, b"old")}
