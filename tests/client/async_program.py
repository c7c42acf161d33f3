"""A program on asyncio, to be run as a process of its own: importing trio_asyncio replaces asyncio's policy.

Arguments: the service's address, the folder.
"""

import asyncio
import sys

from pulsekeeper.client import AsyncTelemetry


def fail() -> None:
    """What the program does by itself."""
    raise ValueError("its own")


async def main(url: str, folder: str) -> None:
    """A session with some events, one that is cancelled, and one whose program fails."""
    async with AsyncTelemetry(url, folder=folder, consent=True, delay=0.01) as telemetry:
        for number in range(700):
            telemetry.event("something", number=number)
        while telemetry.stats.acknowledged < 700:  # noqa: ASYNC110  # it is the client that is waited for
            await asyncio.sleep(0.01)

    async def cancelled() -> None:
        async with AsyncTelemetry(url, folder=folder, consent=True, delay=60) as telemetry:
            telemetry.event("cancelled")
            await asyncio.sleep(60)

    task = asyncio.create_task(cancelled())
    await asyncio.sleep(0.1)
    task.cancel()
    try:
        await task
    except asyncio.CancelledError:
        print("cancelled")  # noqa: T201  # what the test reads
    try:
        async with AsyncTelemetry(url, folder=folder, consent=True):
            fail()
    except ValueError as error:
        print(error)  # noqa: T201  # the same


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
