"""A server for loaders to ask: every connection has a thread, and a test says what is answered."""

import itertools
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from benchmarks.wires import Address

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
Answer = Callable[[int], bytes]
"""What is sent for a request, which comes with its number on its connection."""


@contextmanager
def server(answer: Answer) -> Iterator[Address]:
    """A thread for each connection, until the test has ended."""
    with socket.create_server(("127.0.0.1", 0), backlog=200) as listening:

        def accept() -> None:
            while True:
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                threading.Thread(target=serve, args=(connection, answer), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield listening.getsockname()
        listening.shutdown(socket.SHUT_RDWR)


def serve(connection: socket.socket, answer: Answer) -> None:
    with connection, suppress(ConnectionError):
        for number in itertools.count():
            if not connection.recv(65536):
                return
            reply = answer(number)
            connection.sendall(reply)
            if b"close" in reply:
                return


def always(reply: bytes = OK) -> Answer:
    return lambda _number: reply
