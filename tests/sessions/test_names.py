"""Names as clients write them, and as they are understood."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulsekeeper.sessions.model import Settings
from pulsekeeper.sessions.names import LONGEST_NAME, denied_keys, event_name, plain_key

DENIED = denied_keys(Settings().denied_properties)


@pytest.mark.parametrize(
    ("written", "understood"),
    [
        ("story_opened", "story_opened"),
        ("storyOpened", "story_opened"),
        ("StoryOpened", "story_opened"),
        ("Story_Opened", "story_opened"),
        ("HTTPError", "http_error"),
        ("lastHTTPError2xx", "last_http_error2xx"),
        ("oauth2Login", "oauth2_login"),
        ("story.Opened", "story.opened"),
        ("x", "x"),
        ("a" * 60, "a" * 60),
    ],
)
def test_camel_case_is_understood(written: str, understood: str) -> None:
    assert event_name(written) == understood


@pytest.mark.parametrize(
    "written",
    ["", "1st", "_x", ".x", "story-opened", "story opened", "story_opened\n", "größe", "a\0", "a" * 61, "aB" * 30],
)
def test_what_is_no_name_is_not_made_one(written: str) -> None:
    assert event_name(written) is None


def test_a_letter_that_only_becomes_ascii_in_lower_case_is_not_taken() -> None:
    assert event_name("\N{KELVIN SIGN}elvin") is None


def test_a_name_of_a_megabyte_is_not_remembered() -> None:
    assert event_name("a" * 1_000_000) is None


@given(st.text(string.ascii_letters + string.digits + "_.", max_size=LONGEST_NAME))
def test_what_is_understood_stays_as_it_is(written: str) -> None:
    name = event_name(written)

    assert name is None or event_name(name) == name


@pytest.mark.parametrize(
    "key",
    [
        *("email", "E-Mail", "e_mail", "e.mail", "EMAIL ", "e\N{SOFT HYPHEN}mail", "e\N{ZERO WIDTH SPACE}mail"),
        *("User-ID", "user.id", "userId", "USER_ID", "IP", "ip", "first name"),
        "".join(chr(ord(letter) + 0xFEE0) for letter in "email"),  # full width
        "pa\N{LATIN SMALL LETTER LONG S}\N{LATIN SMALL LETTER LONG S}word",
        "\N{CIRCLED LATIN SMALL LETTER I}\N{CIRCLED LATIN SMALL LETTER P}",
    ],
)
def test_a_denied_name_is_known_however_it_is_written(key: str) -> None:
    assert plain_key(key) in DENIED


@pytest.mark.parametrize("key", ["zip", "ips", "story", "page", "user_count", "mailbox", "---", ""])
def test_a_name_that_only_looks_like_a_denied_one_is_free(key: str) -> None:
    assert plain_key(key) not in DENIED


def test_the_list_may_be_written_in_any_way_as_well() -> None:
    assert denied_keys(["Customer-No", "customer_no", "--"]) == {"customerno"}
