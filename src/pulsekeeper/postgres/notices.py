"""LISTEN as a stream that outlives its connection.

PostgreSQL forgets a notice that nobody was there to hear. A stream that reconnects can therefore never promise to be
whole; it says when it may not be, and whoever reads it looks at the tables again. So a notice needs to be no more
than a hint.
"""

import random
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

import msgspec
import structlog
import trio

from pulsekeeper.errors import Unavailable
from pulsekeeper.postgres.session import Session

_BUFFER = 1024
_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 5.0
_LONGEST_NAME = 63
_log = structlog.get_logger(__name__)


class Notice(msgspec.Struct, frozen=True):
    """What somebody sent by NOTIFY."""

    channel: str
    payload: str


class MaybeMissed(msgspec.Struct, frozen=True):
    """From here on everything is heard again; what came before may be lost. Also the first thing that a stream says."""


Heard = Notice | MaybeMissed


class Listener:
    """Keeps one subscription alive on a connection of its own."""

    def __init__(
        self,
        connect: Callable[[], Awaitable[Session]],
        channels: Sequence[str],
        check_every: float,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        if any(len(channel.encode()) > _LONGEST_NAME for channel in channels):
            raise ValueError(f"the server would cut a channel's name after {_LONGEST_NAME} bytes")
        self._connect = connect
        self._channels = channels
        self._check_every = check_every
        self._jitter = jitter
        self._send, self.notices = trio.open_memory_channel[Heard](_BUFFER)

    async def run(self, scope: trio.CancelScope) -> None:
        """Listen until `scope` is cancelled. Waits out an outage: 50 ms, then twice as long each time, up to 5 s."""
        pause = _FIRST_PAUSE
        with scope:
            while True:
                try:
                    session = await self._connect()
                    pause = _FIRST_PAUSE
                    await self._listen(session)
                except Unavailable as outage:
                    _log.warning("listening_interrupted", channels=self._channels, reason=outage.detail)
                await trio.sleep(pause * (0.5 + self._jitter() / 2))
                pause = min(pause * 2, _LONGEST_PAUSE)

    async def _listen(self, session: Session) -> None:
        try:
            await session.listen(self._channels, lambda channel, payload: self._put(Notice(channel, payload)))
            self._put(MaybeMissed())
            while not session.is_closed:
                with trio.move_on_after(self._check_every):
                    await session.ended.wait()
                await session.execute("select")  # a half-dead connection fails here, a dead one at once
        finally:
            session.terminate()

    def _put(self, heard: Heard) -> None:
        try:
            self._send.send_nowait(heard)
        except trio.WouldBlock:
            self._drop_all()
            self._send.send_nowait(MaybeMissed())
        except trio.BrokenResourceError:
            return  # the reader has gone, and this connection is about to

    def _drop_all(self) -> None:
        with suppress(trio.WouldBlock):
            while True:
                self.notices.receive_nowait()


def drain(notices: trio.MemoryReceiveChannel[Heard]) -> None:
    """Take everything that has gathered: one look at the tables answers all of it."""
    while True:
        try:
            notices.receive_nowait()
        except trio.WouldBlock:
            return
