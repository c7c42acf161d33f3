"""Events as text: what is written is what is read."""

import csv
import io
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from pulsekeeper.sessions.archive.formats import COLUMNS, CSV, NDJSON, ExportedEvent, csv_lines, exported, ndjson
from tests.support.sessions_archive import NASTY, encoded

AT = datetime(2026, 11, 21, 12, 0, 0, 120000, tzinfo=UTC)
ID = "00000000-0000-0000-0000-0000000003e8"
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
)
objects = st.dictionaries(st.text(), scalars)


def event(props: bytes | None = None, **columns: Any) -> ExportedEvent:
    row = {"received_at": AT, "session_id": ID, "installation_id": ID, "id": ID, "name": "story_opened", "at": AT}
    row |= {"raw_at": None, "seq": None, "props": props, "is_cut": False, **columns}
    return exported(tuple(row.values()))


def table(text: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text.decode(), newline=""), strict=True))


def test_an_event_is_a_line_of_json_with_all_of_its_members() -> None:
    first, second = ndjson([event(b'{"a":1}', seq=7, raw_at=AT), event(is_cut=True)]).decode().splitlines()

    assert first == (
        f'{{"receivedAt":"2026-11-21T12:00:00.120000Z","sessionId":"{ID}","installationId":"{ID}","id":"{ID}",'
        '"name":"story_opened","at":"2026-11-21T12:00:00.120000Z","rawAt":"2026-11-21T12:00:00.120000Z","seq":7,'
        '"props":{"a":1},"isCut":false}'
    )
    assert second.endswith('"rawAt":null,"seq":null,"props":null,"isCut":true}')


def test_an_event_is_a_line_of_csv_under_a_header() -> None:
    text = CSV.header + csv_lines([event(b'{"a":1}', seq=7, raw_at=AT), event(is_cut=True)])

    assert text.decode() == (
        "receivedAt,sessionId,installationId,id,name,at,rawAt,seq,props,isCut\r\n"
        f"2026-11-21T12:00:00.120000Z,{ID},{ID},{ID},story_opened,2026-11-21T12:00:00.120000Z,"
        '2026-11-21T12:00:00.120000Z,7,"{""a"":1}",false\r\n'
        f"2026-11-21T12:00:00.120000Z,{ID},{ID},{ID},story_opened,2026-11-21T12:00:00.120000Z,,,,true\r\n"
    )


def test_nothing_is_nothing_but_a_header() -> None:
    assert (ndjson([]), NDJSON.header, csv_lines([])) == (b"", b"", b"")


@pytest.mark.parametrize("props", NASTY)
def test_nasty_properties_are_read_as_they_were_written(props: object) -> None:
    stored = event(encoded(props))

    [line] = ndjson([stored]).splitlines()
    [row] = table(csv_lines([stored]))

    assert msgspec.json.decode(line)["props"] == props
    assert (msgspec.json.decode(row[COLUMNS.index("props")]) if props is not None else None) == props


@given(st.lists(objects, max_size=5))
def test_any_properties_make_one_line_each(many: list[dict[str, object]]) -> None:
    """As JSON separates lines, and as CSV does."""
    stored = [event(encoded(props)) for props in many]

    lines = ndjson(stored).split(b"\n")[:-1]
    rows = csv_lines(stored).split(b"\r\n")[:-1]

    assert [msgspec.json.decode(line)["props"] for line in lines] == many
    assert [msgspec.json.decode(table(row)[0][8]) for row in rows] == many


def test_spaces_and_line_ends_between_members_go() -> None:
    """JSON that was stored as somebody wrote it would break a line."""
    stored = event(b'{ "a" :\r\n\t"b c" }\n')

    assert stored.props == Raw(b'{"a":"b c"}')


@given(objects)
def test_a_spreadsheet_finds_nothing_to_execute_wherever_it_splits(props: dict[str, object]) -> None:
    """No cell begins like a formula, whether cells end at commas outside of quotes or at semicolons anywhere."""
    text = csv_lines([event(encoded(props), seq=7, raw_at=AT)])

    [row] = table(text)
    assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\r")) for cell in row)
    assert b";" not in text
    assert b"\t" not in text
    assert text.count(b"\n") == 1
