"""What an answer means, whoever has given it."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulsekeeper.client.answers import (
    LONGEST_WAIT,
    Done,
    Forbidden,
    Later,
    Refused,
    SessionLost,
    TooLarge,
    meaning,
    seconds_of,
)
from pulsekeeper.client.model import Answer, Kind, Receipt, Refusal, Session

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
PROBLEM = "application/problem+json"
RECEIPT = b'{"accepted": 1, "duplicates": 1, "rejected": [{"index": 2, "id": null, "reason": "bad_name"}]}'
SESSION = (
    b'{"sessionId": "01a202f2-c8f1-7000-8000-000000000000", "token": "pkst_x", "timeoutSeconds": 3600,'
    b' "installationId": "5fd9ef32-9b9e-4d3b-8b8b-4c8f6a1f1c11", "stillAliveSeconds": 60}'
)


def test_a_start_gives_a_session() -> None:
    means = meaning(Kind.START, Answer(status=201, body=SESSION), NOW)
    assert isinstance(means, Session)
    assert means.token == "pkst_x"
    assert means.still_alive_seconds == 60


def test_a_receipt_says_what_became_of_every_event() -> None:
    means = meaning(Kind.INGEST, Answer(status=200, body=RECEIPT), NOW, 3)
    assert means == Receipt(accepted=1, duplicates=1, rejected=(Refusal(2, "bad_name"),))


def test_a_400_with_a_receipt_is_a_receipt() -> None:
    body = b'{"accepted": 0, "duplicates": 0, "rejected": [{"index": 0, "reason": "pii_key"}]}'
    means = meaning(Kind.INGEST, Answer(status=400, body=body), NOW, 1)
    assert means == Receipt(accepted=0, duplicates=0, rejected=(Refusal(0, "pii_key"),))


@pytest.mark.parametrize("events", [2, 4])
def test_a_receipt_for_another_number_of_events_acknowledges_none(events: int) -> None:
    assert meaning(Kind.INGEST, Answer(status=200, body=RECEIPT), NOW, events) == Later()


@pytest.mark.parametrize("kind", list(Kind))
def test_a_page_of_a_portal_is_no_success(kind: Kind) -> None:
    page = Answer(status=200, body=b"<html>Please log in", content_type="text/html")
    assert meaning(kind, page, NOW, 1) == Later()


@pytest.mark.parametrize("kind", [Kind.STILL_ALIVE, Kind.END, Kind.WITHDRAW])
def test_done_is_204(kind: Kind) -> None:
    assert meaning(kind, Answer(status=204), NOW) == Done()


@pytest.mark.parametrize("status", [401, 404, 409, 410])
def test_a_session_that_the_service_does_not_know_is_lost(status: int) -> None:
    assert meaning(Kind.STILL_ALIVE, Answer(status=status), NOW) == SessionLost()


@pytest.mark.parametrize("code", ["consent_required", "consent_withdrawn"])
def test_without_consent_it_is_forbidden(code: str) -> None:
    answer = Answer(status=403, body=b'{"code": "%b"}' % code.encode(), content_type=PROBLEM)
    assert meaning(Kind.START, answer, NOW) == Forbidden(code)


def test_a_403_of_the_service_without_a_code_is_about_consent() -> None:
    assert meaning(Kind.START, Answer(status=403, body=b"{}", content_type=PROBLEM), NOW) == Forbidden(
        "consent_withdrawn"
    )


@pytest.mark.parametrize(
    "answer",
    [
        Answer(status=403, body=b"Blocked by policy", content_type="text/html"),
        Answer(status=403, body=b'{"code": "something_else"}', content_type=PROBLEM),
        Answer(status=403, body=b"cut", content_type=PROBLEM),
        Answer(status=407),
        Answer(status=451),
        Answer(status=302),
        Answer(status=500),
        None,
    ],
)
def test_what_stands_in_the_way_does_not_stop_it_for_good(answer: Answer | None) -> None:
    assert meaning(Kind.INGEST, answer, NOW, 1) == Later()


def test_too_large_and_refused_are_about_what_was_sent() -> None:
    assert meaning(Kind.INGEST, Answer(status=413), NOW, 1) == TooLarge()
    assert meaning(Kind.INGEST, Answer(status=400, body=b"{}", content_type=PROBLEM), NOW, 1) == Refused(400)
    assert meaning(Kind.INGEST, Answer(status=415), NOW, 1) == Refused(415)


@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_is_honoured(status: int) -> None:
    assert meaning(Kind.INGEST, Answer(status=status, retry_after="7"), NOW, 1) == Later(7.0)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("120", 120.0),
        (" 3 ", 3.0),
        ("Sun, 01 Mar 2026 12:00:30 GMT", 30.0),
        ("Sun, 01 Mar 2026 11:00:00 GMT", 0.0),
        ("99999999999999999999", LONGEST_WAIT),
        ("Sun, 01 Mar 2099 12:00:00 GMT", LONGEST_WAIT),
        ("soon", 0.0),
        ("-5", 0.0),
        (None, 0.0),
    ],
)
def test_retry_after_in_seconds_or_as_a_date(text: str | None, seconds: float) -> None:
    assert seconds_of(text, NOW) == seconds


ANSWERS = st.builds(
    Answer,
    status=st.integers(100, 599),
    body=st.binary(max_size=60) | st.sampled_from([RECEIPT, SESSION, b'{"code": 3}', b"null", b"[]"]),
    content_type=st.sampled_from(["", PROBLEM, "application/json"]),
    retry_after=st.none() | st.text(max_size=20),
)


@given(st.sampled_from(list(Kind)), ANSWERS, st.integers(0, 5))
def test_every_answer_means_something(kind: Kind, answer: Answer, events: int) -> None:
    means = meaning(kind, answer, NOW, events)
    if isinstance(means, Receipt):
        assert means.accepted + means.duplicates + len(means.rejected) == events
    if isinstance(means, Later):
        assert 0 <= means.seconds <= LONGEST_WAIT
