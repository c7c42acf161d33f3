"""One question over a new connection, written and read by h11: no client adds or hides anything."""

from collections.abc import Sequence
from contextlib import suppress

import h11
import msgspec
import trio

Fields = Sequence[tuple[bytes, bytes]]

_PATIENCE = 20.0


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """What a client sends. Where no field says how long the body is, there is none."""

    method: str
    target: bytes
    """Path and query."""
    fields: Fields = ()
    body: bytes = b""


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What it gets back."""

    status: int
    fields: Fields
    """Sorted, with their names in lower case, and without `Date`."""
    body: bytes


async def told(port: int, question: Question) -> Told:
    """The answer of whoever listens on the port of this machine."""
    speech = h11.Connection(h11.CLIENT)
    fields = [(b"Host", b"localhost"), *((name, value) for name, value in question.fields if name.lower() != b"host")]
    written = speech.send(h11.Request(method=question.method, target=question.target, headers=fields)) or b""
    if question.body:
        written += speech.send(h11.Data(data=question.body)) or b""
    written += speech.send(h11.EndOfMessage()) or b""
    with trio.fail_after(_PATIENCE):
        async with await trio.open_tcp_stream("127.0.0.1", port) as stream, trio.open_nursery() as nursery:
            nursery.start_soon(_send, stream, written)
            answer = await _read(stream, speech)
            nursery.cancel_scope.cancel()
    return answer


async def _send(stream: trio.SocketStream, data: bytes) -> None:
    with suppress(trio.BrokenResourceError):  # a long body may be refused before its end
        await stream.send_all(data)


async def _read(stream: trio.SocketStream, speech: h11.Connection) -> Told:
    head, body = None, bytearray()
    while True:
        match speech.next_event():
            case h11.NEED_DATA:
                speech.receive_data(await stream.receive_some())
            case h11.Response() as response:
                head = response
            case h11.Data(data=piece):
                body += piece
            case h11.EndOfMessage():
                break
            case unexpected:
                raise AssertionError(f"this is no answer: {unexpected}")
    assert head is not None
    fields = sorted((name, value) for name, value in head.headers if name != b"date")
    return Told(status=head.status_code, fields=fields, body=bytes(body))
