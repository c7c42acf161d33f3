"""Who is using it?"""

from collections.abc import Sequence

from pulsekeeper.actors.mailbox import Mailbox, Ref
from pulsekeeper.sessions.archive.archive_routes import ArchiveRoutes
from pulsekeeper.sessions.archive.archive_store import ArchiveStore
from pulsekeeper.sessions.numbers import Numbers
from pulsekeeper.sessions.reaper import Reaper
from pulsekeeper.sessions.reception import Reception
from pulsekeeper.sessions.recorder import Message, Recorder
from pulsekeeper.sessions.routes import SessionRoutes
from pulsekeeper.sessions.signing import Keykeeper, SigningKeys
from pulsekeeper.sessions.store import SessionStore
from pulsekeeper.sessions.usage.accountant import Accountant
from pulsekeeper.sessions.usage.figures_store import FiguresStore
from pulsekeeper.sessions.usage.usage_routes import UsageRoutes
from pulsekeeper.web.endpoints import Endpoint
from pulsekeeper.wiring.ground import Ground, Room, actor, address_of

_RECORDER_MAILBOX = 512
"""Calls that may wait. At the bound clients are told to come back: nothing is taken that is not committed soon."""


def sessions(ground: Ground) -> Room:
    """Keykeeper, recorder, reaper and accountant, and the routes of telemetry, of the figures and of the archive."""
    database, clock, settings, ready = ground.database, ground.clock, ground.config.sessions, ground.schema_ready
    numbers, store = Numbers(ground.registry), SessionStore(database, settings)
    keys = SigningKeys(database, clock, ready)
    recorder: Mailbox[Message] = Mailbox("recorder", _RECORDER_MAILBOX)

    def make_recorder() -> Recorder:
        return Recorder(store, settings, numbers, ready)

    def make_reaper() -> Reaper:
        return Reaper(store, settings, clock, numbers, ready)

    def make_accountant() -> Accountant:
        return Accountant(database, settings, clock, ready)

    return Room(
        minds=[
            actor("keykeeper", lambda: Keykeeper(keys)),
            actor("recorder", make_recorder, recorder),
            actor("reaper", make_reaper),
            actor("accountant", make_accountant),
        ],
        endpoints=[*_telemetry_routes(ground, keys, recorder.ref, numbers).endpoints(), *_operator_endpoints(ground)],
    )


def _telemetry_routes(ground: Ground, keys: SigningKeys, recorder: Ref[Message], numbers: Numbers) -> SessionRoutes:
    settings = ground.config.sessions
    return SessionRoutes(
        reception=Reception(address_of=address_of(ground.config), verify=keys.verify, settings=settings),
        sign=keys.sign,
        recorder=recorder,
        settings=settings,
        clock=ground.clock,
        numbers=numbers,
    )


def _operator_endpoints(ground: Ground) -> Sequence[Endpoint]:
    database, clock, settings = ground.database, ground.clock, ground.config.sessions
    return (
        *UsageRoutes(FiguresStore(database, settings), settings, clock).endpoints(),
        *ArchiveRoutes(ArchiveStore(database), settings, clock).endpoints(),
    )
