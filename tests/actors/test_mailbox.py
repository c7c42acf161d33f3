import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from pulsekeeper.actors.inbox import Inbox
from pulsekeeper.actors.mailbox import Mailbox, MailboxClosed, MailboxFull
from pulsekeeper.actors.question import Question


class Double(Question[int]):
    number: int


async def test_messages_are_read_in_the_order_in_which_they_were_told() -> None:
    mailbox: Mailbox[int] = Mailbox("m", 3)
    inbox = Inbox(mailbox)

    for number in (1, 2, 3):
        await mailbox.ref.tell(number)

    assert [await inbox.get() for _ in range(3)] == [1, 2, 3]


async def test_tell_waits_for_room_in_a_full_mailbox(nursery: trio.Nursery) -> None:
    mailbox: Mailbox[int] = Mailbox("m", 1)
    inbox = Inbox(mailbox)
    mailbox.ref.tell_nowait(1)
    nursery.start_soon(mailbox.ref.tell, 2)
    await wait_all_tasks_blocked()

    assert mailbox.statistics().depth == 1
    assert [await inbox.get(), await inbox.get()] == [1, 2]


async def test_tell_nowait_and_ask_refuse_a_full_mailbox_at_once() -> None:
    mailbox: Mailbox[object] = Mailbox("m", 1)
    mailbox.ref.tell_nowait(1)

    with pytest.raises(MailboxFull):
        mailbox.ref.tell_nowait(2)
    with pytest.raises(MailboxFull):
        await mailbox.ref.ask(Double(2))


async def test_a_tell_that_waits_for_room_is_refused_when_the_mailbox_closes(nursery: trio.Nursery) -> None:
    mailbox: Mailbox[int] = Mailbox("m", 1)
    mailbox.ref.tell_nowait(1)
    refused = trio.Event()

    async def tell() -> None:
        with pytest.raises(MailboxClosed):
            await mailbox.ref.tell(2)
        refused.set()

    nursery.start_soon(tell)
    await wait_all_tasks_blocked()
    mailbox.close()

    await refused.wait()


async def test_discarding_tells_those_whose_questions_still_wait(nursery: trio.Nursery) -> None:
    mailbox: Mailbox[object] = Mailbox("m", 3)
    mailbox.ref.tell_nowait("nobody waits for this")
    heard = trio.Event()

    async def ask() -> None:
        with pytest.raises(MailboxClosed):
            await mailbox.ref.ask(Double(1))
        heard.set()

    nursery.start_soon(ask)
    await wait_all_tasks_blocked()
    mailbox.discard()

    await heard.wait()


async def test_statistics_have_the_present_depth_and_the_peak() -> None:
    mailbox: Mailbox[int] = Mailbox("m", 7)
    inbox = Inbox(mailbox)
    for number in range(4):
        mailbox.ref.tell_nowait(number)
    await inbox.batch(3)

    statistics = mailbox.statistics()

    assert (statistics.depth, statistics.peak, statistics.capacity) == (1, 4, 7)


async def test_no_peak_is_missed_when_those_who_told_are_slower_than_the_reader(nursery: trio.Nursery) -> None:
    """`tell` looked at the depth after it had let others run, and so often after the mail had been read."""
    for _ in range(10):
        mailbox: Mailbox[int] = Mailbox("m", 3)
        nursery.start_soon(mailbox.ref.tell, 1)
        nursery.start_soon(mailbox.ref.tell, 2)
        await trio.lowlevel.checkpoint()
        await trio.lowlevel.checkpoint()
        mailbox.take_nowait()
        mailbox.take_nowait()
        await wait_all_tasks_blocked()

        assert mailbox.statistics().peak == 2
