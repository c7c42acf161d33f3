"""The limit: reads a request, thinks nothing, and answers. Run it with a port.

Trio's own sockets and httptools, the parser of Node; no server, no framework, no task but one for each connection. The
answer is as long as that of a decision that has nothing to show, and is made before anybody asks. What is faster than
this on one core is not written in Python on Trio.
"""

import sys
from socket import IPPROTO_TCP, TCP_NODELAY

import httptools
import trio

_PIECE = 65536
_BODY = (
    b'{"decisionId":"01a202f2-c8f1-7000-8000-000000000000",'
    b'"releaseStatus":{"latestReleaseId":"2026.3.0","alreadySeen":true},"decisions":[],"nextCheckInSeconds":1801}'
)
_REPLY = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(_BODY), _BODY)


class _Requests:
    """Counts those that have come to their end."""

    def __init__(self) -> None:
        self.whole = 0

    def on_message_complete(self) -> None:
        """Called by the parser."""
        self.whole += 1


async def main(port: int) -> None:
    """Until it is killed."""
    with trio.socket.socket() as listening:
        await listening.bind(("127.0.0.1", port))
        listening.listen(1024)
        async with trio.open_nursery() as nursery:
            while True:
                connection, _ = await listening.accept()
                nursery.start_soon(_converse, connection)


async def _converse(connection: trio.socket.SocketType) -> None:
    requests = _Requests()
    parser = httptools.HttpRequestParser(requests)
    with connection:
        connection.setsockopt(IPPROTO_TCP, TCP_NODELAY, 1)
        try:
            while data := await connection.recv(_PIECE):
                parser.feed_data(data)
                reply, requests.whole = _REPLY * requests.whole, 0
                while reply:
                    reply = reply[await connection.send(reply) :]
        except (OSError, httptools.HttpParserError):
            return  # whoever it was has gone, or speaks something else


if __name__ == "__main__":
    trio.run(main, int(sys.argv[1]))
