"""How schemathesis writes the formats that it does not know. It loads this by itself."""

import json

import schemathesis
from schemathesis import SerializationContext


@schemathesis.serializer("application/x-ndjson")
def line(_: SerializationContext, document: object) -> bytes:
    """A body of one line: its schema is that of a line."""
    return document if isinstance(document, bytes) else json.dumps(document).encode() + b"\n"
