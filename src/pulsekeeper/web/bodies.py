"""From a request's bytes to the Struct that a handler wants, or to every fault that stands in the way."""

from typing import Literal, TypeVar

from pulsekeeper import validation
from pulsekeeper.errors import Invalid
from pulsekeeper.web.problems import UnsupportedMediaType
from pulsekeeper.web.wire import Request

T = TypeVar("T")
Unknown = Literal["refuse", "ignore"]
"""What becomes of members that nobody knows; a Struct that forbids them has the last word about its own."""


def decode(request: Request, to: type[T], unknown: Unknown = "refuse", lenient: tuple[type, ...] = ()) -> T:
    """The body of a request by an operator or another service: `application/json`, as a rule without unknown keys.

    Within the `lenient` Structs they are ignored all the same: what a page says may be in what an operator says.
    Raises `UnsupportedMediaType`, or `Invalid` with all faults. Of a key that is given twice the last one counts.
    """
    return _decode(request, to, media_types=("application/json",), unknown=unknown, lenient=lenient)


def decode_merge_patch(request: Request, to: type[T]) -> T:
    """The body of a PATCH. `application/merge-patch+json` (RFC 7396) is read as well. Raises like `decode`."""
    return _decode(request, to, media_types=("application/json", "application/merge-patch+json"), unknown="refuse")


def decode_public(request: Request, to: type[T]) -> T:
    """The body of a request by a visitor's page: also `text/plain`, and unknown keys are ignored.

    A browser's beacon sends `text/plain` to spare itself a preflight; and a page that is newer than the server may know
    more keys than it does. Raises like `decode`.
    """
    return _decode(request, to, media_types=("application/json", "text/plain"), unknown="ignore")


def _decode(
    request: Request, to: type[T], media_types: tuple[str, ...], unknown: Unknown, lenient: tuple[type, ...] = ()
) -> T:
    _check_media_type(request, media_types)
    _check_encoding(request)
    if not request.body.strip():
        raise Invalid("The body is empty; a JSON document was expected.")
    return validation.decode_json(request.body, to, unknown=unknown, lenient=lenient)


def _check_media_type(request: Request, accepted: tuple[str, ...]) -> None:
    """JSON is UTF-8: another charset is another format. Other parameters are ignored."""
    given = request.headers.get("content-type") or ""
    if given in accepted:
        return  # as nearly all of them are; taking it apart takes longer than decoding a small body
    media_type, *parameters = given.lower().split(";")
    charsets = [text.strip().removeprefix("charset=").strip('"') for text in parameters if "charset=" in text]
    if media_type.strip() not in accepted or any(charset not in {"utf-8", "utf8"} for charset in charsets):
        raise UnsupportedMediaType(f"Send the body as {' or '.join(accepted)} in UTF-8.")


def _check_encoding(request: Request) -> None:
    """Nothing is unpacked here: a few bytes could be a gigabyte."""
    given = request.headers.get("content-encoding")
    if given is None:
        return
    encodings = given.lower().split(",")
    if any(encoding.strip() not in {"", "identity"} for encoding in encodings):
        raise UnsupportedMediaType("Send the body as it is, without a Content-Encoding.")
