"""The address of a database is looked at before anything is started with it, and never repeated."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulsekeeper.postgres.urls import DatabaseUrl


@pytest.mark.parametrize(
    "url",
    [
        "",
        "postgresql://",
        "postgresql:///name",
        "postgres://user:p%40ss@host:5432/name",
        "postgresql://user@one:5432,two:5433,three/name?target_session_attrs=read-write",
        "postgresql://[2001:db8::1]:5432/name?sslmode=verify-full&application_name=x",
        "postgresql:///name?host=/run/postgresql&port=5433",
        "postgresql://postgres@/postgres?host=%2Frun%2Fpostgresql&port=5432",
        "postgresql://%2Frun%2Fpostgresql/name",
        "postgresql:///name?host=one,two&port=5432,5433",
    ],
)
def test_all_forms_that_the_driver_understands_are_taken(url: str) -> None:
    assert DatabaseUrl.parse(url).reveal() == url


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("mysql://user:hunter2@host/name", "postgresql:// or postgres://"),
        ("hunter2", "postgresql:// or postgres://"),
        ("[::1/hunter2", "postgresql:// or postgres://"),
        ("postgresql:hunter2", "postgresql:// or postgres://"),
        ("postgresql://[::1/hunter2", "user:password@host:port/name"),
        ("postgresql://user:hunter2@host:99999/name", "a port between 1 and 65535"),
        ("postgresql://user:hunter2@host:0/name", "a port between 1 and 65535"),
        ("postgresql://user:hunter2@one:1,two:x/name", "a port between 1 and 65535"),
        ("postgresql://user:hunter2@one,/name", "between any two commas"),
        ("postgresql:///hunter2?host=a,b&port=1,2,3", "one port for all hosts"),
        ("postgresql://user:hunter2/@host/name", "a port between 1 and 65535"),
        ("postgresql://user:hunter2@ss@host/name", "percent-encoded"),
        ("postgresql://user:hunter2#@host/name", "percent-encoded"),
        ("postgresql://user:hunter2\n@host/name", "percent-encoded"),
        ("postgresql://host/name?hunter2", "user:password@host:port/name"),
        ("postgresql://host/name?sslmode=hunter2", "expected sslmode to be one of"),
    ],
)
def test_what_cannot_be_one_is_refused_and_nothing_of_it_repeated(url: str, sentence: str) -> None:
    """It was found out by the actors, who crashed over it until the service gave up."""
    with pytest.raises(ValueError, match="expected") as refused:
        DatabaseUrl.parse(url)

    assert sentence in str(refused.value)
    assert "hunter2" not in str(refused.value)


@given(st.text(max_size=40) | st.text(alphabet="[]:@/?#%,&=1x", max_size=30).map("postgresql://".__add__))
def test_any_text_is_an_address_or_a_value_error(text: str) -> None:
    try:
        assert DatabaseUrl.parse(text).reveal() == text
    except ValueError as error:
        assert str(error).startswith("expected")  # noqa: PT017  # either outcome is right
