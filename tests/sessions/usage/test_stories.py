from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from pulsekeeper.sessions.usage.stories import StoryEvent, story_time

START = datetime(2026, 11, 22, 12, tzinfo=UTC)
END = START + timedelta(seconds=100)


def opened(second: float, seq: int | None = None, story: str = "Button") -> StoryEvent:
    return StoryEvent(seq, START + timedelta(seconds=second), opens=True, story=story)


def closed(second: float, seq: int | None = None, story: str = "Button") -> StoryEvent:
    return StoryEvent(seq, START + timedelta(seconds=second), opens=False, story=story)


def test_a_story_is_open_from_its_opening_to_its_closing() -> None:
    assert story_time([opened(10), closed(15), opened(20), closed(22)], END) == (7, 0)


def test_stories_are_paired_by_name_and_each_counts() -> None:
    assert story_time([opened(10), opened(12, story="Menu"), closed(15), closed(20, story="Menu")], END) == (13, 0)


def test_a_second_opening_is_closed_by_one_closing() -> None:
    assert story_time([opened(10), opened(12), closed(15), closed(20)], END) == (5, 0)


def test_an_unclosed_one_is_closed_by_the_end_and_flagged() -> None:
    assert story_time([opened(90)], END) == (10, 1)


def test_closing_what_is_not_open_means_nothing() -> None:
    assert story_time([closed(5), opened(10), closed(15), closed(30)], END) == (5, 0)


def test_numbers_order_and_not_the_clock() -> None:
    assert story_time([closed(15, seq=2), opened(20, seq=3), closed(21, seq=4), opened(10, seq=1)], END) == (6, 0)


def test_what_is_closed_before_it_was_opened_was_open_for_no_time() -> None:
    assert story_time([opened(20, seq=1), closed(10, seq=2)], END) == (0, 0)


def test_what_has_no_number_stands_where_its_time_says() -> None:
    assert story_time([opened(10, seq=1), closed(12), opened(14, seq=2), closed(20, seq=3)], END) == (8, 0)


def test_times_that_overlap_because_a_clock_was_set_back_count_once() -> None:
    assert story_time([opened(10, 1), closed(20, 2), opened(15, 3), closed(25, 4)], END) == (15, 0)


@given(
    st.lists(st.builds(opened, st.integers(0, 100), st.none() | st.integers(0, 9), st.sampled_from("ab"))),
    st.lists(st.builds(closed, st.integers(0, 100), st.none() | st.integers(0, 9), st.sampled_from("ab"))),
    st.randoms(use_true_random=False),
)
def test_the_order_given_does_not_matter_and_nothing_is_counted_twice(openings, closings, random) -> None:  # type: ignore[no-untyped-def]  # hypothesis gives what the strategies say
    events = [*openings, *closings]
    time = story_time(events, END)
    random.shuffle(events)

    assert story_time(events, END) == time
    assert 0 <= time.seconds <= 200
    assert 0 <= time.unclosed <= 2
