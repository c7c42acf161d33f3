"""The client for programs on trio or asyncio: one task does all the work."""

from contextlib import AsyncExitStack
from types import TracebackType
from typing import TYPE_CHECKING, Self

import anyio
from anyio import to_thread

from pulsekeeper.client.facade import SLACK, Facade
from pulsekeeper.client.model import Pause

if TYPE_CHECKING:
    from pulsekeeper.client.transport import AsyncSender


class AsyncTelemetry(Facade):
    """Anonymous telemetry for one running program, on trio or asyncio.

        async with AsyncTelemetry("https://pulse.example.org", folder="~/.myapp/telemetry", consent=True) as telemetry:
            telemetry.event("story_opened", story="Button")

    Like `Telemetry`; to be used in the thread of its event loop. Leaving the block takes `patience` at most, when it is
    cancelled as well. Errors of the block come out as they are, not in a group.
    """

    _group: anyio.abc.TaskGroup | None = None

    async def __aenter__(self) -> Self:
        self._over = anyio.Event()
        self._scope = anyio.CancelScope(shield=True)
        self._wake = anyio.Event()
        self._agent.wake = self._ring
        await to_thread.run_sync(self._begin)
        self._group = await anyio.create_task_group().__aenter__()
        self._group.start_soon(self._work)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        """The block's own error is not the group's business."""
        await self.end()
        if self._group is not None:
            await self._group.__aexit__(None, None, None)

    async def end(self) -> None:
        """Send what waits and end the session, within `patience`. What is not sent by then waits for the next run."""
        if self._group is None:
            return
        self._agent.finish()
        with anyio.move_on_after(self._patience + SLACK, shield=True):
            await self._over.wait()
        self._scope.cancel()

    def _begin(self) -> None:
        try:
            self._agent.begin(consent=self._consent)
        except Exception:  # a mistake of ours is no trouble of the program
            self.failed()

    def _ring(self) -> None:
        self._wake.set()

    async def _work(self) -> None:
        """Shielded: whoever cancels the program cancels this task by `end`, which gives it a moment."""
        try:
            with self._scope:
                await self._work_until_over()
        except Exception:  # a mistake of ours is no trouble of the program
            self.failed()
        finally:
            self._agent.close()
            self._over.set()

    async def _work_until_over(self) -> None:
        async with AsyncExitStack() as stack:
            sender: AsyncSender | None = None
            while True:
                self._wake = anyio.Event()
                step = await to_thread.run_sync(self._agent.next)
                if step is None:
                    return
                if isinstance(step, Pause):
                    with anyio.move_on_after(step.seconds):
                        await self._wake.wait()
                else:
                    sender = sender or await _open_sender(stack)
                    answer = await sender.send(step)
                    await to_thread.run_sync(self._agent.take, step, answer)


async def _open_sender(stack: AsyncExitStack) -> "AsyncSender":
    from pulsekeeper.client.transport import async_http_sender  # noqa: PLC0415  # slow to import: only when it is used

    return await stack.enter_async_context(async_http_sender())
