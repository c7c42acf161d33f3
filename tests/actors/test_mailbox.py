import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from pulsekeeper.actors.inbox import Inbox, Stop
from pulsekeeper.actors.mailbox import Mailbox, MailboxClosed, MailboxFull
from pulsekeeper.actors.question import ActorFailed, Question


class Double(Question[int]):
    number: int


async def test_messages_are_read_in_the_order_in_which_they_were_told() -> None:
    mailbox: Mailbox[int] = Mailbox("m", 3)
    inbox = Inbox(mailbox)

    for number in (1, 2, 3):
        await mailbox.ref.tell(number)

    assert [await inbox.get() for _ in range(3)] == [1, 2, 3]


async def test_a_question_is_answered_with_its_reply(nursery: trio.Nursery) -> None:
    mailbox: Mailbox[Double] = Mailbox("m", 3)

    async def actor() -> None:
        async for question in Inbox(mailbox):
            question.reply(question.number * 2)

    nursery.start_soon(actor)

    assert await mailbox.ref.ask(Double(21)) == 42
    nursery.cancel_scope.cancel()


async def test_an_error_that_is_the_answer_is_raised_at_the_asker(nursery: trio.Nursery) -> None:
    mailbox: Mailbox[Double] = Mailbox("m", 3)

    async def actor() -> None:
        (await Inbox(mailbox).get()).fail(ValueError("too odd"))

    nursery.start_soon(actor)

    with pytest.raises(ValueError, match="too odd"):
        await mailbox.ref.ask(Double(1))


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


async def test_a_question_whose_asker_gave_up_is_skipped() -> None:
    mailbox: Mailbox[Double] = Mailbox("m", 3)
    with trio.move_on_after(0):
        await mailbox.ref.ask(Double(1))
    mailbox.ref.tell_nowait(Double(2))

    assert (await Inbox(mailbox).get()).number == 2


async def test_an_answer_that_nobody_waits_for_any_more_is_dropped(nursery: trio.Nursery) -> None:
    mailbox: Mailbox[Double] = Mailbox("m", 3)
    scope = trio.CancelScope()

    async def impatient() -> None:
        with scope:
            await mailbox.ref.ask(Double(1))

    nursery.start_soon(impatient)
    question = await Inbox(mailbox).get()
    scope.cancel()
    await wait_all_tasks_blocked()

    assert question.abandoned
    question.reply(2)


async def test_a_second_answer_is_a_bug(nursery: trio.Nursery) -> None:
    mailbox: Mailbox[Double] = Mailbox("m", 3)
    nursery.start_soon(mailbox.ref.ask, Double(1))
    question = await Inbox(mailbox).get()
    question.reply(2)

    with pytest.raises(RuntimeError, match="Double was answered twice"):
        question.reply(3)


async def test_a_question_cannot_be_asked_twice(nursery: trio.Nursery) -> None:
    mailbox: Mailbox[Double] = Mailbox("m", 3)
    question = Double(1)
    nursery.start_soon(mailbox.ref.ask, question)
    await wait_all_tasks_blocked()

    with pytest.raises(RuntimeError, match="Double was asked twice"):
        await mailbox.ref.ask(question)
    question.reply(2)


async def test_a_question_that_is_only_told_may_be_answered_to_nobody() -> None:
    Double(1).reply(2)


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
