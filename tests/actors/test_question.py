import contextlib
import gc
import weakref

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from pulsekeeper.actors.inbox import Inbox
from pulsekeeper.actors.mailbox import Mailbox, MailboxFull
from pulsekeeper.actors.question import ActorFailed, Question


class Double(Question[int]):
    number: int


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


async def test_a_question_that_was_refused_may_be_asked_again(nursery: trio.Nursery) -> None:
    """Whoever tried again after `MailboxFull` was told that the question had been asked twice."""
    mailbox: Mailbox[object] = Mailbox("m", 1)
    mailbox.ref.tell_nowait("first")
    question = Double(1)
    with pytest.raises(MailboxFull):
        await mailbox.ref.ask(question)
    await Inbox(mailbox).get()

    nursery.start_soon(mailbox.ref.ask, question)

    assert await Inbox(mailbox).get() is question
    question.reply(2)


async def test_an_error_that_was_raised_at_the_asker_is_not_held_by_the_question(nursery: trio.Nursery) -> None:
    """It held on to itself, and to all the frames of its traceback, until the next garbage collection."""

    class Refused(Exception):
        pass

    mailbox: Mailbox[Double] = Mailbox("m", 3)
    error = Refused()
    remains = weakref.ref(error)

    async def ask() -> None:
        with contextlib.suppress(Refused):
            await mailbox.ref.ask(Double(1))

    gc.disable()
    try:
        nursery.start_soon(ask)
        (await Inbox(mailbox).get()).fail(error)
        del error
        await wait_all_tasks_blocked()

        assert remains() is None
    finally:
        gc.enable()


async def test_a_question_passed_on_is_no_longer_in_the_hand_of_whoever_passed_it(nursery: trio.Nursery) -> None:
    """The crash of the first actor answered it, and the reply of the second was a second answer: it crashed as well."""
    first, second = Mailbox[Double]("first", 3), Mailbox[Double]("second", 3)
    inbox, answers = Inbox(first), list[int]()

    async def ask() -> None:
        answers.append(await first.ref.ask(Double(1)))

    nursery.start_soon(ask)
    second.ref.tell_nowait(await inbox.get())
    question = await Inbox(second).get()
    inbox.close(ValueError("a bug"))
    question.reply(2)
    await wait_all_tasks_blocked()

    assert answers == [2]


async def test_a_question_that_its_last_holder_failed_is_not_read_by_the_next(nursery: trio.Nursery) -> None:
    """The next one answered again when it was faster than the asker, and crashed over that."""
    first, second = Mailbox[Double]("first", 3), Mailbox[object]("second", 3)
    inbox = Inbox(first)

    async def ask() -> None:
        with pytest.raises(ActorFailed):
            await first.ref.ask(Double(1))

    nursery.start_soon(ask)
    second.ref.tell_nowait(await inbox.get())
    second.ref.tell_nowait("next")
    inbox.close(None)

    assert second.take_nowait() == "next"
    second.discard()


async def test_an_answer_wins_over_a_cancellation_that_comes_after_it(nursery: trio.Nursery) -> None:
    mailbox: Mailbox[Double] = Mailbox("m", 3)
    scope, answers = trio.CancelScope(), list[int]()

    async def ask() -> None:
        with scope:
            answers.append(await mailbox.ref.ask(Double(1)))

    nursery.start_soon(ask)
    question = await Inbox(mailbox).get()
    question.reply(2)
    scope.cancel()
    await wait_all_tasks_blocked()

    assert answers == [2]
    assert not question.abandoned
