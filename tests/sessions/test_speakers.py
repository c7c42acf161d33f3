"""What the speeches of a batch say about the sessions that speak."""

from datetime import timedelta
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from pulsekeeper.sessions.records import Claims, Speech
from pulsekeeper.sessions.speakers import speakers
from tests.support.sessions import NOW, event, speech

LIMIT = timedelta(minutes=3)
SPEECHES = st.lists(
    st.builds(
        lambda session, at, events, ends: speech(
            Claims(UUID(int=session + 100), UUID(int=session), NOW), NOW + timedelta(minutes=at), *events, ends=ends
        ),
        st.sampled_from([3, 1, 2**127, 2**64]),
        st.integers(0, 5),
        st.sampled_from([(), (event(),)]),
        st.booleans(),
    ),
    min_size=1,
    max_size=8,
)


@given(SPEECHES)
def test_every_speech_is_one_of_its_sessions_and_sessions_are_in_the_order_of_their_ids(spoken: list[Speech]) -> None:
    places, heard = speakers(spoken, LIMIT)

    ids = [each.session_id for each in heard]
    assert ids == sorted({each.claims.session_id for each in spoken})
    assert [ids[place - 1] for place in places] == [each.claims.session_id for each in spoken]


@given(SPEECHES)
def test_the_speeches_of_a_session_count_as_one(spoken: list[Speech]) -> None:
    _, heard = speakers(spoken, LIMIT)

    for speaker in heard:
        own = [each for each in spoken if each.claims.session_id == speaker.session_id]
        in_time = [each.at for each in own if each.at <= NOW + LIMIT]
        assert speaker.installation_id == own[0].claims.installation_id
        assert speaker.first_at == min(each.at for each in own)
        assert speaker.last_at == max(in_time or [each.at for each in own])
        assert speaker.ends == any(each.ends for each in own)
        assert (speaker.tells, speaker.acts) == (any(each.events for each in own), any(each.acted for each in own))
