"""What is sent to a peer, encoded before it is measured."""

from collections.abc import Iterator, Sequence
from random import Random

import msgspec

_encoder = msgspec.json.Encoder()


def post(path: str, body: msgspec.Struct) -> bytes:
    """A call with a JSON body."""
    encoded = _encoder.encode(body)
    return b"POST %s HTTP/1.1\r\nHost: benchmark\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (
        path.encode(),
        len(encoded),
        encoded,
    )


def get(path: str, authorization: str) -> bytes:
    """A call without one."""
    head = f"GET {path} HTTP/1.1\r\nHost: benchmark\r\nAuthorization: {authorization}\r\nAccept: application/json"
    return f"{head}\r\n\r\n".encode()


def drawn(people: Sequence[bytes]) -> Iterator[bytes]:
    """These at random, without end, in the same order in every run."""
    choice = Random(1).choice  # noqa: S311  # see above
    while True:
        yield choice(people)
