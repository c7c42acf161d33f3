"""Where the front listens, and whether it is on its way out: known to the whole process, outliving each front."""

import socket
from collections.abc import Sequence

import trio

from pulsekeeper.web.settings import Settings
from pulsekeeper.web.tls import check_certificate

_BACKLOG = 1024


class CannotListen(Exception):
    """The address is taken, not ours, or not an address. The text is a sentence for the operator."""


class Listening:
    """The listening socket and what may be known of it.

    The composition root opens it before the tree starts, so that a port that is taken ends the command with a
    sentence and not with a spent restart budget. A front that is restarted opens it again: on the same port, also
    where any free one was asked for.
    """

    def __init__(self, settings: Settings) -> None:
        self._host, self._port = settings.bind.host, settings.bind.port
        self._settings = settings
        self._socket: socket.socket | None = None
        self._leaving = False

    @property
    def url(self) -> str:
        """The base of all addresses here, as `http://127.0.0.1:8000`; with the real port once the socket is open."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"{'https' if self._settings.certfile else 'http'}://{host}:{self._port}"

    def open(self) -> None:
        """Take the address. Does nothing when it is taken by us already.

        Raises `CannotListen`, and `UnusableCertificate` where TLS is configured and cannot work.
        """
        if self._socket is not None:
            return
        check_certificate(self._settings)
        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        opened = socket.socket(family, socket.SOCK_STREAM)
        try:
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            opened.bind((self._host, self._port))
            opened.listen(_BACKLOG)
        except OSError as error:
            opened.close()
            raise CannotListen(f"cannot listen on {self._host}:{self._port}: {error.strerror or error}") from error
        self._port = opened.getsockname()[1]
        self._socket = opened

    def take(self) -> trio.SocketListener:
        """Hand the open socket over to a front, which closes it when it ends. Opens it if need be."""
        self.open()
        taken, self._socket = self._socket, None
        assert taken is not None  # noqa: S101  # open() has just made sure
        return trio.SocketListener(trio.socket.from_stdlib_socket(taken))

    def note_serving(self) -> None:
        """The front answers from now on."""
        self._leaving = False

    def note_leaving(self) -> None:
        """The front has been told to end."""
        self._leaving = True

    def reasons(self) -> Sequence[str]:
        """Why no request should be sent here; empty when there is no reason. One of the sources of `/readyz`."""
        return ("the service is shutting down",) if self._leaving else ()

    def close(self) -> None:
        """Give the address back, if no front has taken it over."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None
