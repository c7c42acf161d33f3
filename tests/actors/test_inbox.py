import gc

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from pulsekeeper.actors.inbox import Inbox, Stop
from pulsekeeper.actors.mailbox import Mailbox, MailboxClosed
from pulsekeeper.actors.question import ActorFailed, Question


class Double(Question[int]):
    number: int


async def test_a_batch_is_one_awaited_message_and_what_else_is_there_up_to_the_limit() -> None:
    mailbox: Mailbox[int] = Mailbox("m", 10)
    inbox = Inbox(mailbox)
    for number in range(5):
        mailbox.ref.tell_nowait(number)

    assert await inbox.batch(3) == [0, 1, 2]
    assert await inbox.batch(3) == [3, 4]


async def test_a_batch_leaves_out_questions_whose_askers_gave_up() -> None:
    mailbox: Mailbox[object] = Mailbox("m", 10)
    mailbox.ref.tell_nowait("first")
    with trio.move_on_after(0):
        await mailbox.ref.ask(Double(1))
    mailbox.ref.tell_nowait("last")

    assert await Inbox(mailbox).batch(10) == ["first", "last"]


async def test_closing_refuses_new_mail_and_still_delivers_what_waits() -> None:
    mailbox: Mailbox[object] = Mailbox("m", 10)
    inbox = Inbox(mailbox)
    mailbox.ref.tell_nowait(1)
    inbox.end(Stop.FOR_GOOD)

    with pytest.raises(MailboxClosed):
        mailbox.ref.tell_nowait(2)
    with pytest.raises(MailboxClosed):
        await mailbox.ref.tell(2)
    with pytest.raises(MailboxClosed):
        await mailbox.ref.ask(Double(2))
    assert [message async for message in inbox] == [1]


async def test_ending_for_now_ends_a_waiting_reader_and_keeps_later_mail(nursery: trio.Nursery) -> None:
    mailbox: Mailbox[int] = Mailbox("m", 3)
    inbox = Inbox(mailbox)
    ended = trio.Event()

    async def read() -> None:
        with pytest.raises(trio.EndOfChannel):
            await inbox.get()
        ended.set()

    nursery.start_soon(read)
    await wait_all_tasks_blocked()
    inbox.end(Stop.FOR_NOW)
    mailbox.ref.tell_nowait(1)
    await ended.wait()

    assert await Inbox(mailbox).get() == 1


async def test_ending_for_now_leaves_what_waits_to_the_next_life() -> None:
    mailbox: Mailbox[int] = Mailbox("m", 3)
    mailbox.ref.tell_nowait(1)
    first = Inbox(mailbox)
    first.end(Stop.FOR_NOW)

    assert [message async for message in first] == []
    assert await Inbox(mailbox).get() == 1


async def test_whoever_asked_what_was_in_hand_hears_of_the_crash_with_its_cause(nursery: trio.Nursery) -> None:
    mailbox: Mailbox[Double] = Mailbox("the doubler", 3)
    inbox = Inbox(mailbox)
    heard: list[BaseException | None] = []

    async def ask() -> None:
        with pytest.raises(ActorFailed, match="the doubler ended before it answered") as failure:
            await mailbox.ref.ask(Double(1))
        heard.append(failure.value.__cause__)

    nursery.start_soon(ask)
    await inbox.get()
    crash = ValueError("a bug")
    inbox.close(crash)
    await wait_all_tasks_blocked()

    assert heard == [crash]
    assert inbox.busy_since is None


async def test_an_inbox_is_busy_from_taking_a_message_until_the_next_read(
    nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    mailbox: Mailbox[int] = Mailbox("m", 3)
    inbox = Inbox(mailbox)
    mailbox.ref.tell_nowait(1)
    assert inbox.busy_since is None

    await trio.sleep(7)
    await inbox.get()
    taken_at = trio.current_time()
    await trio.sleep(1)
    assert inbox.busy_since == taken_at

    nursery.start_soon(inbox.get)
    await wait_all_tasks_blocked()
    assert inbox.busy_since is None
    nursery.cancel_scope.cancel()


async def test_nothing_is_held_of_questions_that_are_done_with(nursery: trio.Nursery) -> None:
    """What had been told, and what its asker had given up, stayed in hand as long as the actor lived."""
    mailbox: Mailbox[Double] = Mailbox("m", 8)
    inbox, impatience = Inbox(mailbox), trio.CancelScope()
    answered, given_up, told = Double(0), Double(1), Double(2)

    async def give_up() -> None:
        with impatience:
            await mailbox.ref.ask(given_up)

    nursery.start_soon(mailbox.ref.ask, answered)
    nursery.start_soon(give_up)
    await wait_all_tasks_blocked()
    mailbox.ref.tell_nowait(told)
    await inbox.batch(3)
    assert inbox._in_hand == {answered, given_up}

    answered.reply(0)
    impatience.cancel()
    await wait_all_tasks_blocked()

    assert inbox._in_hand == set()


async def test_batches_left_in_the_middle_by_a_crash_draw_no_warning(recwarn: pytest.WarningsRecorder) -> None:
    """They were an asynchronous generator, which Trio complains about when it is not read to its end."""
    mailbox: Mailbox[int] = Mailbox("m", 3)
    mailbox.ref.tell_nowait(1)

    with pytest.raises(ValueError, match="bug"):  # noqa: PT012  # it is the loop that raises
        async for _ in Inbox(mailbox).batches(2):
            raise ValueError("bug")
    gc.collect()

    assert list(recwarn) == []


async def test_batch_after_batch_until_the_inbox_ends() -> None:
    mailbox: Mailbox[int] = Mailbox("m", 8)
    inbox = Inbox(mailbox)
    for number in range(5):
        mailbox.ref.tell_nowait(number)
    inbox.end(Stop.FOR_GOOD)

    assert [batch async for batch in inbox.batches(2)] == [[0, 1], [2, 3], [4]]


async def test_an_end_for_now_after_one_for_good_changes_nothing() -> None:
    mailbox: Mailbox[int] = Mailbox("m", 3)
    mailbox.ref.tell_nowait(1)
    inbox = Inbox(mailbox)
    inbox.end(Stop.FOR_GOOD)
    inbox.end(Stop.FOR_NOW)

    assert [message async for message in inbox] == [1]


async def test_an_actor_with_a_full_mailbox_lets_others_run_and_can_be_cancelled() -> None:
    mailbox: Mailbox[int] = Mailbox("m", 3)
    mailbox.ref.tell_nowait(1)

    with trio.CancelScope() as scope:
        scope.cancel()
        await Inbox(mailbox).get()

    assert scope.cancelled_caught
    assert mailbox.statistics().depth == 1


async def test_who_is_busy_with_something_else_can_wait_for_the_end(nursery: trio.Nursery) -> None:
    inbox = Inbox(Mailbox[int]("m", 3))
    heard: list[Stop] = []

    async def wait() -> None:
        heard.append(await inbox.wait_ending())

    nursery.start_soon(wait)
    await wait_all_tasks_blocked()
    assert heard == []
    inbox.end(Stop.FOR_GOOD)
    await wait_all_tasks_blocked()

    assert heard == [Stop.FOR_GOOD]


async def test_the_first_read_alone_says_that_the_actor_has_started() -> None:
    mailbox: Mailbox[int] = Mailbox("m", 3)
    mailbox.ref.tell_nowait(1)
    mailbox.ref.tell_nowait(2)
    started: list[str] = []
    inbox = Inbox(mailbox, lambda: started.append("started"))
    assert started == []

    await inbox.get()
    await inbox.get()

    assert started == ["started"]
