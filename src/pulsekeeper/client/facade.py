"""What `Telemetry` and `AsyncTelemetry` have in common: everything but the waiting."""

import logging
import random
from collections.abc import Callable
from contextlib import suppress
from functools import wraps
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar
from uuid import UUID

from pulsekeeper.client.agent import Agent
from pulsekeeper.client.folder import Folder
from pulsekeeper.client.model import MOST_EVENTS, Clocks, Options, Stats
from pulsekeeper.client.packing import Scalar

_log = logging.getLogger("pulsekeeper.client")

_P = ParamSpec("_P")
_S = TypeVar("_S", bound="Facade")

SLACK = 0.25
"""Seconds that a driver gets on top of its patience, to close its files."""
MOST_WAITING = 10_000
"""Events that wait on the disk at most, unless chosen otherwise."""
MOST_WAITING_BYTES = 16 * 1024 * 1024
"""Bytes that they are at most, unless chosen otherwise."""


def quietly(method: Callable[Concatenate[_S, _P], None]) -> Callable[Concatenate[_S, _P], None]:
    """No mistake of ours is a trouble of the host program. It is told to the log, once for each client."""

    @wraps(method)
    def safe(self: _S, /, *args: _P.args, **kwargs: _P.kwargs) -> None:
        try:
            method(self, *args, **kwargs)
        except Exception:  # see above
            self.failed()

    return safe


class Facade:
    """Anonymous telemetry for one running program. See `Telemetry`."""

    def __init__(  # noqa: PLR0913  # whoever embeds it sees all there is to choose
        self,
        url: str,
        *,
        consent: bool,
        folder: str | Path | None = None,
        consent_version: str | None = None,
        app_version: str | None = None,
        platform: str | None = None,
        timezone: str | None = None,
        replace: bool = False,
        delay: float = 2.0,
        patience: float = 2.0,
        most_events: int = MOST_WAITING,
        most_bytes: int = MOST_WAITING_BYTES,
        clocks: Clocks | None = None,
        jitter: Callable[[float], float] | None = None,
    ) -> None:
        """Nothing happens yet: no file is made, nothing is sent.

        `url` is the service's, as `https://pulse.example.org`. `consent` is what the user has said, as the program
        remembers it; without it nothing is sent or stored. `folder` belongs to the client alone and may be shared by
        any number of processes of one installation; with `None` events that are not sent when the program ends are
        lost, and every run is a new installation. `consent_version` says which text the user agreed to; `timezone` is
        an IANA name. With `replace` other open sessions of the installation end. Events wait `delay` seconds for
        others to travel with; the end takes `patience` seconds at most. At most `most_events` events of `most_bytes`
        bytes wait to be sent: when there are more, the oldest are dropped. Clocks and jitter are for tests.
        """
        options = Options(
            url=url,
            consent_version=consent_version,
            app_version=app_version,
            platform=platform,
            timezone=timezone,
            replace=replace,
            delay=delay,
            patience=patience,
        )
        place = Folder(_path(folder), max(most_events, 2 * MOST_EVENTS), most_bytes)
        self._consent = consent
        self._patience = patience
        self._agent = Agent(options, place, clocks or Clocks(), jitter or _full_jitter)
        self._has_failed = False

    @property
    def session_id(self) -> UUID | None:
        """Of the session that is open now; `None` before the service has answered, and between two sessions."""
        return self._agent.session_id

    @property
    def installation_id(self) -> UUID | None:
        """The random id under which the service knows this installation; `None` before it has given one."""
        return self._agent.installation_id

    @property
    def stats(self) -> Stats:
        """What has become of the events since this client was made."""
        return self._agent.stats

    @property
    def stopped(self) -> str | None:
        """Why nothing is sent: `no_consent`, `consent_required` or `consent_withdrawn`; `None` while all is well."""
        return self._agent.forbidden

    @quietly
    def event(self, name: str, /, **props: Scalar) -> None:
        """Something has happened: `event("story_opened", story="Button")`.

        Returns in microseconds. From then on the event survives the end of the program, even a sudden one, and is
        stored by the service once. Names are snake_case (camelCase is made so), properties are scalars, and none may
        be called like something about a person (`email`, `user_id`, …): the service refuses such events. Before the
        client is started, after its end and without consent it is ignored.
        """
        self._agent.event(name, props)

    @quietly
    def withdraw(self, *, erase: bool = False) -> None:
        """The user does not agree any more. Events that are not sent yet are forgotten, and nothing is sent again.

        With `erase` the service deletes everything that it has of this installation. That it does not agree is
        remembered in the folder: a later run sends nothing either, whatever its `consent` says, until `agree` is
        called. If the service cannot be told now, it is told by a later run, within two days of the last session.
        """
        self._agent.withdraw(erase=erase)

    @quietly
    def agree(self, *, version: str | None = None) -> None:
        """The user has just agreed, to the text of this version: to be called when they click, not at each start."""
        self._agent.agree(version)

    def failed(self) -> None:
        """A mistake of the client itself was caught on its way to the host program."""
        if not self._has_failed:
            _log.warning("telemetry has failed", exc_info=True)
        self._has_failed = True


def _path(folder: str | Path | None) -> Path | None:
    with suppress(RuntimeError):  # there is no home
        return None if folder is None else Path(folder).expanduser()
    return None


def _full_jitter(ceiling: float) -> float:
    return random.uniform(0.0, ceiling)  # noqa: S311  # spreads load, keeps no secret
