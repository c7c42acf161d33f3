"""The keys that sign the tokens of sessions, as operators rotate them."""

from datetime import timedelta

from pulsekeeper.clock import utc_now
from pulsekeeper.postgres.database import Database
from pulsekeeper.sessions.key_store import SigningKeyStore
from tests.support.service import run_command

ROTATE = ("keys", "rotate-session-key")
DONE = "A new key signs the tokens of sessions; the one before it is believed until the next rotation.\n"


async def test_a_rotation_that_would_cut_sessions_off_has_to_be_forced(database_url: str, database: Database) -> None:
    store = SigningKeyStore(database)
    await store.add_first(bytes(32), utc_now() - timedelta(days=400))
    await store.rotate(bytes(32), utc_now(), None)

    refused = run_command(database_url, *ROTATE)
    untouched = await store.keys()
    forced = run_command(database_url, *ROTATE, "--force")

    assert (refused.returncode, refused.stdout) == (1, "")
    assert "the last rotation is less than 2d ago" in refused.stderr
    assert "--force" in refused.stderr
    assert [key.id for key in untouched] == [2, 1]
    assert (forced.returncode, forced.stdout, forced.stderr) == (0, DONE, "")
    assert [key.id for key in await store.keys()] == [3, 2]
