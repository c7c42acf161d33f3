"""From the body of a call to the events in it, none of which is looked into yet. Pure.

Here the call is refused as a whole or not at all: what is wrong with one event must not cost the others.
"""

import re
import zlib
from collections.abc import Sequence
from functools import lru_cache
from itertools import islice

import msgspec
from msgspec import Raw, Struct

from pulsekeeper.errors import Fault, Invalid
from pulsekeeper.sessions.model import MOST_BYTES, MOST_EVENTS
from pulsekeeper.web.problems import PayloadTooLarge, UnsupportedMediaType

_JSON = ("application/json", "text/plain")
_LINES = "application/x-ndjson"
_GZIP = 16 + zlib.MAX_WBITS
_LINE = re.compile(rb"\S[^\n]*")
_HIGH, _LOW = rb"[89abAB][0-9a-fA-F]{2}", rb"[c-fC-F][0-9a-fA-F]{2}"
_HALF = rb"\\u[dD]"
_LONE = re.compile(  # either half, without the other one beside it
    _HALF + b"(?:" + _HIGH + b"(?!" + _HALF + _LOW + b")|(?<!" + _HALF + _HIGH + _HALF + b")" + _LOW + b")"
)


class Call(Struct, frozen=True):
    """What a client has sent."""

    sent_at: Raw | None
    """When, by its clock: JSON that nobody has looked at."""
    members: Sequence[Raw]
    """Its events: JSON that nobody has looked at. A line of NDJSON need not even be that."""


class _Envelope(Struct, rename="camel"):
    events: list[Raw]
    sent_at: Raw = Raw(b"null")


_decode = msgspec.json.Decoder(_Envelope | list[Raw]).decode


def unpack(body: bytes, content_type: str, encoding: str, sent_at: str | None = None) -> Call:
    """The events of a call. `content_type` and `encoding` are its headers, empty where it has none.

    JSON is an object `{"sentAt": …, "events": […]}` or a bare array; NDJSON has an event on each line that is not
    blank. `sent_at` is for forms that have no place for it; an envelope's own goes first. Of a key that is given twice
    the last one counts.

    Raises `UnsupportedMediaType`, `Invalid` for what is not JSON, not gzip where it says so, or no list of events, and
    `PayloadTooLarge` for more than 500 events or 1 MiB, unpacked. A body that unpacks to more is never unpacked whole.
    """
    media_type = _media_type(content_type)
    plain = _without_lone_surrogates(_inflated(body, encoding))
    otherwise = None if sent_at is None else Raw(msgspec.json.encode(sent_at))
    call = Call(otherwise, _lines(plain)) if media_type == _LINES else _document(plain, otherwise)
    if len(call.members) > MOST_EVENTS:
        raise PayloadTooLarge(MOST_EVENTS, "events")
    return call


@lru_cache(maxsize=64)
def _media_type(content_type: str) -> str:
    """JSON is UTF-8: another charset is another format. Other parameters are ignored. Clients all say the same."""
    media_type, *parameters = (part.strip() for part in content_type.lower().split(";"))
    charsets = [text.removeprefix("charset=").strip('"') for text in parameters if text.startswith("charset=")]
    if media_type not in (*_JSON, _LINES) or any(charset not in {"utf-8", "utf8"} for charset in charsets):
        raise UnsupportedMediaType(f"Send the events as {', '.join(_JSON)} or {_LINES}, in UTF-8.")
    return media_type


def _inflated(body: bytes, encoding: str) -> bytes:
    match encoding.strip().lower():
        case "" | "identity":
            plain = body
        case "gzip" | "x-gzip":
            plain = _gunzipped(body)
        case _:
            raise UnsupportedMediaType("Send the body as it is, or with Content-Encoding: gzip.")
    if len(plain) > MOST_BYTES:
        raise PayloadTooLarge(MOST_BYTES)
    return plain


def _gunzipped(body: bytes) -> bytes:
    """At most a byte more than is taken: a few bytes could be a gigabyte."""
    inflater = zlib.decompressobj(_GZIP)
    try:
        plain = inflater.decompress(body, MOST_BYTES + 1)
    except zlib.error:
        raise Invalid("The body is not gzip, as its Content-Encoding says.") from None
    if len(plain) <= MOST_BYTES and (not inflater.eof or inflater.unused_data):
        raise Invalid("The gzip body is cut off, or something follows after its end.")
    return plain


def _without_lone_surrogates(body: bytes) -> bytes:
    """The same with NUL in place of each escaped half of a character.

    JavaScript makes them by cutting a string in the middle of an emoji. They are JSON, but no parser of ours takes
    them, and one event would spoil the whole call. NUL cannot be stored either, so that the event is refused for what
    is wrong with it.
    """
    if b"\\ud" not in body and b"\\uD" not in body:
        return body
    unambiguous = body.replace(rb"\\", rb"\u005c")  # a backslash that is one, so that all others begin something
    return _LONE.sub(rb"\\u0000", unambiguous)


def _lines(body: bytes) -> list[Raw]:
    """The lines that are not blank: one more than may be there at most, which is enough to know that."""
    return [Raw(match[0]) for match in islice(_LINE.finditer(body), MOST_EVENTS + 1)]


def _document(body: bytes, otherwise: Raw | None) -> Call:
    try:
        document = _decode(body)
    except RecursionError:
        raise Invalid("The body is nested too deeply.") from None
    except msgspec.ValidationError:
        detail = "expected an object with the array 'events', or an array of events"
        raise Invalid(f"The body is not what it should be: {detail}.", [Fault("", detail)]) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Invalid(f"The body is not JSON: {str(error).removeprefix('JSON is malformed: ')}.") from None
    if isinstance(document, list):
        return Call(otherwise, document)
    return Call(otherwise if bytes(document.sent_at) == b"null" else document.sent_at, document.events)
