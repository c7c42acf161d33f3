"""The client without its driver: the test is the driver, and the service."""

import threading
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from pulsekeeper.client.agent import Agent
from pulsekeeper.client.facts import Fact, Facts
from pulsekeeper.client.folder import Folder
from pulsekeeper.client.model import Answer, Clocks, Kind, Options, Pause, Request

STARTED = b'{"sessionId": "%b", "token": "%b", "installationId": "5fd9ef32-9b9e-4d3b-8b8b-4c8f6a1f1c11"}'
SESSION_ID = b"01a202f2-c8f1-7000-8000-000000000000"
DONE = Answer(status=204)
OPTIONS = Options(url="http://service", delay=0.0)


@pytest.fixture
def agents(tmp_path: Path) -> Iterator["Agents"]:
    """As many as a test wants, on one folder."""
    agents = Agents(tmp_path)
    yield agents
    for agent in agents.made:
        agent.close()


class Agents:
    """Processes of one installation, and runs of one process."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.made: list[Agent] = []

    def begin(self, *, consent: bool = True) -> Agent:
        """One more, that has begun."""
        agent = Agent(OPTIONS, Folder(self.path, 100, 1_000_000), Clocks(monotonic=lambda: 0.0), lambda _: 0.0)
        agent.begin(consent=consent)
        self.made.append(agent)
        return agent


def request(agent: Agent) -> Request:
    """The call that is due."""
    step = agent.next()
    assert isinstance(step, Request)
    return step


def started(token: bytes) -> Answer:
    """A session has begun."""
    return Answer(status=201, body=STARTED % (SESSION_ID, token))


def start(agent: Agent, token: bytes = b"token") -> None:
    """Let its session begin."""
    agent.take(request(agent), started(token))


def test_a_start_that_was_under_way_when_consent_was_withdrawn_is_withdrawn_with_its_own_token(agents: Agents) -> None:
    agent = agents.begin()
    under_way = request(agent)
    agent.withdraw(erase=True)
    agent.take(under_way, started(b"new"))
    told = request(agent)
    assert (told.kind, told.body) == (Kind.WITHDRAW, b'{"erase":true}')
    assert told.headers["Authorization"] == "Bearer new"
    agent.take(told, DONE)
    assert agent.next() == Pause(float("inf"))


def test_events_that_were_under_way_then_are_not_sent_again_whatever_became_of_them(agents: Agents) -> None:
    agent = agents.begin()
    start(agent)
    agent.event("something", {})
    under_way = request(agent)
    assert under_way.kind is Kind.INGEST
    agent.withdraw(erase=False)
    agent.take(under_way, None)
    assert request(agent).kind is Kind.WITHDRAW
    assert (agent.stats.queued, agent.stats.dropped) == (0, 1)


def test_a_process_does_not_start_again_after_another_one_has_withdrawn(agents: Agents) -> None:
    """A start is a statement of consent: it would undo the withdrawal."""
    one, other = agents.begin(), agents.begin()
    start(one)
    other.withdraw(erase=False)
    agent = agents.begin()
    agent.event("ignored", {})
    assert agent.forbidden == "consent_withdrawn"
    one.event("something", {})
    one.take(request(one), Answer(status=401))
    assert one.next() == Pause(0)
    assert one.next() == Pause(float("inf"))
    assert one.forbidden == "consent_withdrawn"
    assert one.stats.queued == 0


def test_a_withdrawal_that_could_never_be_told_is_not_told_of_a_later_session(agents: Agents) -> None:
    agent = agents.begin(consent=False)
    agent.withdraw(erase=True)
    assert isinstance(agent.next(), Pause)
    agent.agree("2026-02")
    start(agent)
    assert agents.begin().forbidden is None
    assert Facts(agents.path).get(Fact.WITHDRAWAL) is None


def test_a_second_process_waits_until_the_first_has_asked_for_the_id(agents: Agents) -> None:
    one, other = agents.begin(), agents.begin()
    under_way = request(one)
    assert isinstance(other.next(), Pause)
    one.take(under_way, started(b"token"))
    assert msgspec.json.decode(request(other).body)["installationId"] == str(one.installation_id)


def test_no_event_is_left_behind_by_a_withdrawal_from_another_thread(agents: Agents) -> None:
    agent = agents.begin()
    start(agent)
    go = threading.Event()

    def talk() -> None:
        go.wait()
        for _ in range(200):
            agent.event("something", {})

    threads = [threading.Thread(target=talk) for _ in range(3)]
    for thread in threads:
        thread.start()
    go.set()
    agent.withdraw(erase=True)
    for thread in threads:
        thread.join()
    assert agent.stats.queued == 0


def test_it_wakes_its_driver_for_the_first_event_and_for_a_full_batch(agents: Agents) -> None:
    agent = agents.begin()
    rings: list[int] = []
    agent.wake = lambda: rings.append(agent.stats.queued)
    for _ in range(60):
        agent.event("something", {})
    assert rings == [1]
    agent.finish()
    assert rings == [1, 60]
