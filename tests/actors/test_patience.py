"""One timer for many askers."""

from collections.abc import AsyncIterator

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from pulsekeeper.actors.inbox import Inbox
from pulsekeeper.actors.mailbox import Mailbox, MailboxFull
from pulsekeeper.actors.patience import Patience, Timekeeper
from pulsekeeper.actors.question import Question

SECONDS = 0.08


class Double(Question[int]):
    number: int


@pytest.fixture
async def patience(nursery: trio.Nursery) -> AsyncIterator[Patience]:
    patience = Patience(SECONDS)
    nursery.start_soon(patience.keep)
    yield patience
    nursery.cancel_scope.cancel()


async def test_an_answer_in_time_is_given(patience: Patience, nursery: trio.Nursery) -> None:
    mailbox: Mailbox[Double] = Mailbox("m", 3)

    async def actor() -> None:
        async for question in Inbox(mailbox):
            question.reply(question.number * 2)

    nursery.start_soon(actor)

    assert await patience.ask(mailbox.ref, Double(21)) == 42


async def test_who_waits_in_vain_is_told_when_their_time_is_over(patience: Patience, autojump_clock: MockClock) -> None:
    mailbox: Mailbox[Double] = Mailbox("m", 3)
    began = trio.current_time()

    with pytest.raises(trio.TooSlowError):
        await patience.ask(mailbox.ref, Double(1))

    assert trio.current_time() - began == pytest.approx(SECONDS)


async def test_a_question_in_hand_whose_asker_was_given_up_on_is_abandoned(
    patience: Patience, autojump_clock: MockClock
) -> None:
    mailbox: Mailbox[Double] = Mailbox("m", 3)
    questions: list[Double] = []

    async def actor() -> None:
        questions.append(await Inbox(mailbox).get())

    async with trio.open_nursery() as nursery:
        nursery.start_soon(actor)
        with pytest.raises(trio.TooSlowError):
            await patience.ask(mailbox.ref, Double(1))

    assert questions[0].abandoned
    questions[0].reply(2)


async def test_everybody_has_a_time_of_their_own(patience: Patience, autojump_clock: MockClock) -> None:
    mailbox: Mailbox[Double] = Mailbox("m", 9)
    waited: list[float] = []

    async def ask(after: float) -> None:
        await trio.sleep(after)
        began = trio.current_time()
        with pytest.raises(trio.TooSlowError):
            await patience.ask(mailbox.ref, Double(1))
        waited.append(trio.current_time() - began)

    async with trio.open_nursery() as nursery:
        for after in (0.0, 0.0, 0.03, 0.5):
            nursery.start_soon(ask, after)

    assert waited == pytest.approx([SECONDS] * 4)


async def test_whoever_has_an_answer_is_not_kept_in_mind(patience: Patience, autojump_clock: MockClock) -> None:
    mailbox: Mailbox[Double] = Mailbox("m", 9)

    async def actor() -> None:
        async for question in Inbox(mailbox):
            question.reply(question.number * 2)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(actor)
        for number in range(1000):
            await patience.ask(mailbox.ref, Double(number))
        nursery.cancel_scope.cancel()

    assert len(patience) == 1
    await trio.sleep(2 * SECONDS)
    assert len(patience) == 0


async def test_whoever_is_cancelled_has_not_been_too_slow(patience: Patience, autojump_clock: MockClock) -> None:
    mailbox: Mailbox[Double] = Mailbox("m", 9)

    with trio.move_on_after(SECONDS / 2) as scope:
        await patience.ask(mailbox.ref, Double(1))

    assert scope.cancelled_caught
    await trio.sleep(2 * SECONDS)
    assert len(patience) == 0


async def test_a_full_mailbox_is_said_at_once_and_nothing_remains(patience: Patience) -> None:
    mailbox: Mailbox[object] = Mailbox("m", 1)
    mailbox.ref.tell_nowait("first")

    with pytest.raises(MailboxFull):
        await patience.ask(mailbox.ref, Double(1))

    await wait_all_tasks_blocked()
    assert len(patience) == 0


async def test_a_question_that_found_the_mailbox_full_has_all_its_time_when_it_is_asked_again(
    patience: Patience, autojump_clock: MockClock
) -> None:
    """Whoever waits before it keeps nothing of the first try in mind."""
    mailbox: Mailbox[Double] = Mailbox("m", 1)
    question, waited = Double(2), list[float]()

    async def wait(asked: Double) -> None:
        began = trio.current_time()
        with pytest.raises(trio.TooSlowError):
            await patience.ask(mailbox.ref, asked)
        waited.append(trio.current_time() - began)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(wait, Double(1))
        await wait_all_tasks_blocked()
        for _ in range(1000):
            with pytest.raises(MailboxFull):
                await patience.ask(mailbox.ref, question)
        assert len(patience) == 1
        await trio.sleep(SECONDS / 2)
        await Inbox(mailbox).get()
        await wait(question)

    assert waited == pytest.approx([SECONDS, SECONDS])


async def test_the_timekeeper_ends_with_its_inbox_and_the_next_one_goes_on(autojump_clock: MockClock) -> None:
    patience, mailbox = Patience(SECONDS), Mailbox[Double]("m", 3)
    times: Mailbox[object] = Mailbox("timekeeper", 1)
    times.close()
    await Timekeeper(patience).run(Inbox(times))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(Timekeeper(patience).run, Inbox(Mailbox[object]("timekeeper", 1)))
        with pytest.raises(trio.TooSlowError):
            await patience.ask(mailbox.ref, Double(1))
        nursery.cancel_scope.cancel()
