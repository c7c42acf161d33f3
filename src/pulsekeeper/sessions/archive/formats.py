"""Events as text: one JSON object a line, or CSV. Pure.

**What a spreadsheet would execute.** A cell that begins with `=`, `+`, `-`, `@`, a tab or a carriage return is taken
for a formula. None of ours can begin so: they are ids, times, numbers that are not negative, names that begin with a
letter, and properties as a JSON object. But a spreadsheet that splits at semicolons, as many do by their country, does
not see our quotes, and would find cells inside the properties. So a semicolon there is written as JSON lets us,
`\\u003b`: nothing is changed, and there is nothing to be split at. Tabs and line ends are escaped in JSON anyway.
"""

import csv
from collections.abc import Callable, Sequence
from datetime import datetime
from io import StringIO
from typing import Any

import msgspec
from msgspec import Raw, Struct

_encoder = msgspec.json.Encoder()


class ExportedEvent(Struct, frozen=True, rename="camel"):
    """A raw event, as it is given out; its fields are the columns of every format."""

    received_at: datetime
    session_id: str
    installation_id: str
    id: str
    """As its client gave it: unique within the installation."""
    name: str
    at: datetime
    """When it happened, corrected by what is known of the client's clock."""
    raw_at: datetime | None
    """The same as the client said."""
    seq: int | None
    props: Raw | None
    """A JSON object."""
    is_cut: bool
    """Whether strings in the properties were longer than is stored."""


class TextFormat(Struct, frozen=True):
    """How events are written one after the other."""

    content_type: str
    header: bytes
    encode: Callable[[Sequence[ExportedEvent]], bytes]


COLUMNS = tuple(column.encode_name for column in msgspec.structs.fields(ExportedEvent))
_PROPS = COLUMNS.index("props")


def exported(row: Sequence[Any]) -> ExportedEvent:
    """An event from the values of its columns, the properties in bytes: what is between their members, such as the end
    of a line, goes."""
    values = list(row)
    if values[_PROPS] is not None:
        values[_PROPS] = Raw(msgspec.json.format(values[_PROPS], indent=-1))
    return ExportedEvent(*values)


def ndjson(events: Sequence[ExportedEvent]) -> bytes:
    """Each as a line."""
    return _encoder.encode_lines(events)


def csv_lines(events: Sequence[ExportedEvent]) -> bytes:
    """Each as a line with an end as RFC 4180 has it; what is absent is empty, and times are written as in JSON."""
    return _written(msgspec.to_builtins([_cells(event) for event in events]))


def _cells(event: ExportedEvent) -> tuple[object, ...]:
    props = None if event.props is None else bytes(event.props).decode().replace(";", "\\u003b")
    before = (event.received_at, event.session_id, event.installation_id, event.id, event.name)
    return (*before, event.at, event.raw_at, event.seq, props, "true" if event.is_cut else "false")


def _written(rows: Sequence[Sequence[object]]) -> bytes:
    text = StringIO(newline="")
    csv.writer(text, lineterminator="\r\n").writerows(rows)
    return text.getvalue().encode()


NDJSON = TextFormat("application/x-ndjson", b"", ndjson)
CSV = TextFormat("text/csv; charset=utf-8; header=present", _written([COLUMNS]), csv_lines)
TEXT_FORMATS = {"ndjson": NDJSON, "csv": CSV}
PARQUET_TYPE = "application/vnd.apache.parquet"
