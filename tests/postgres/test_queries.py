"""Named statements: what is a parameter, what is left alone, what is refused."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pulsekeeper.postgres.queries import all_queries, inline, load, parse

TWO = """
-- Everything about cats.

-- name: find_cat
-- One cat,
-- by its name.
select *
from cats where name = :name;

-- name: count_cats
-- How many there are.
select count(*) from cats
"""


def test_a_file_is_names_sentences_and_statements() -> None:
    """Each block becomes an attribute with its sentence, its SQL and its parameters."""
    queries = parse(TWO)
    assert [query.name for query in queries] == ["find_cat", "count_cats"]
    assert queries.find_cat.doc == "One cat, by its name."
    assert queries.find_cat.sql == "select *\nfrom cats where name = $1"
    assert queries.find_cat.params == ("name",)
    assert queries.count_cats.params == ()


def test_a_parameter_keeps_its_number() -> None:
    """A name that is used twice is sent once."""
    query = inline("select :b, :a, :b")
    assert (query.sql, query.params) == ("select $1, $2, $1", ("b", "a"))
    assert query.bind({"a": 1, "b": 2}) == (2, 1)


@pytest.mark.parametrize(
    "sql",
    [
        "select '2026'::date, now()::timestamptz",
        "select ':no', 'it''s :no', '::', ''",
        'select ":no", "a"":no"',
        "select $$ :no $$, $body$ it's $$ :no $body$",
        "select 1 -- :no, it's a comment",
        "select 1 /* :no 'either */",
        "select a[1:2], a[1 : 2], b[:2]",
        "select json ->> ':no', a := 1",
    ],
)
def test_what_only_looks_like_a_parameter_is_left_alone(sql: str) -> None:
    """Casts, literals, identifiers, dollar quotes, comments and slices go to the server as they are."""
    assert (inline(sql).sql, inline(sql).params) == (sql, ())


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("select :a::int", "select $1::int"),
        ("select (:a)", "select ($1)"),
        ("select ':x' || :a || \":x\"", "select ':x' || $1 || \":x\""),
        ("select x[1 : :a]", "select x[1 : $1]"),
        ("select -- it's\n:a", "select -- it's\n$1"),
        ("select 1 = any(:a::uuid[])", "select 1 = any($1::uuid[])"),
        ("values (:a,:a)", "values ($1,$1)"),
    ],
)
def test_a_parameter_is_found_beside_anything(sql: str, expected: str) -> None:
    """The same kinds of text around a real parameter do not hide it."""
    assert (inline(sql).sql, inline(sql).params) == (expected, ("a",))


@pytest.mark.parametrize(
    ("sql", "sentence"),
    [
        ("select 'open", "not closed"),
        ('select "open', "not closed"),
        ("select /* open", "not closed"),
        ("select a[i:j]", "space before its colon"),
        ("select f(x):y", "space before its colon"),
        ("select $1", "names, not numbers"),
        (r"select E'it\'s :a'", "E'…' strings"),
    ],
)
def test_what_cannot_be_read_safely_is_refused(sql: str, sentence: str) -> None:
    """The statement is at fault when it is loaded, not when it is first used."""
    with pytest.raises(ValueError, match=sentence):
        inline(sql)


@given(st.text(alphabet=":a1 '\"$-/*\n[]()e", max_size=40))
def test_reading_never_invents_text(sql: str) -> None:
    """Putting the names back gives the statement as it was written."""
    try:
        query = inline(sql)
    except ValueError:
        return
    restored = query.sql
    for number, name in reversed(list(enumerate(query.params, start=1))):
        restored = restored.replace(f"${number}", f":{name}")
    assert restored == sql


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({}, r"missing parameters \['a', 'b'\], unknown parameters \[\]"),
        ({"a": 1, "c": 2}, r"missing parameters \['b'\], unknown parameters \['c'\]"),
        ({"a": 1, "b": 2, "c": 3}, r"missing parameters \[\], unknown parameters \['c'\]"),
    ],
)
def test_parameters_that_do_not_fit_are_named(values: dict[str, object], sentence: str) -> None:
    """The error says which ones."""
    with pytest.raises(TypeError, match=sentence):
        inline("select :a, :b").bind(values)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("select 1", "SQL before the first"),
        ("-- name: Upper\n-- Doc.\nselect 1", "not a name"),
        ("-- name: two words\n-- Doc.\nselect 1", "not a name"),
        ("-- name: a\nselect 1", "a needs a sentence"),
        ("-- name: a\n-- Doc.\n", "a needs a sentence"),
        ("-- name: a\n-- Doc.\nselect 1\n\n-- name: a\n-- Doc.\nselect 2", "a is there twice"),
        ("-- name: a\n-- Doc.\nselect 'open", "cats.sql: a: a quote"),
    ],
)
def test_a_file_out_of_shape_is_refused(text: str, sentence: str) -> None:
    """The error names the file and the statement."""
    with pytest.raises(ValueError, match=sentence):
        parse(text, "cats.sql")


def test_a_statement_that_is_not_there_is_named() -> None:
    """A typing mistake in a store is an AttributeError that names the file."""
    with pytest.raises(AttributeError, match=r"cats\.sql has no statement called 'find_dog'"):
        _ = parse(TWO, "cats.sql").find_dog


def test_a_room_is_read_from_its_package() -> None:
    """`load` takes the package, `all_queries` finds every room that has statements, and the rooms inside."""
    assert load("pulsekeeper.postgres").list_migrations.params == ()
    rooms = all_queries()
    assert {"postgres", "sessions.upkeep"} <= rooms.keys()
    assert all(Path("src/pulsekeeper", *room.split("."), "queries.sql").is_file() for room in rooms)
