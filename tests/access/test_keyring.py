"""Who is let in: the configured key, stored keys, and keys that are remembered while the database is away."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
import trio
from trio.testing import MockClock

from pulsekeeper.access.keyring import Keyring
from pulsekeeper.access.keys import ENTROPY, mint
from pulsekeeper.access.model import AdminKey, ApiKey, Settings
from pulsekeeper.errors import Unauthorized, Unavailable
from pulsekeeper.scalars import Duration
from pulsekeeper.web.identity import Scope

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
ADMIN = "the-admin-key-of-the-tests"
MINTED = mint(Scope.METRICS, "scraper", NOW, bytes(ENTROPY))
TOKEN = MINTED.token.reveal()


class FakeKeys:
    """The store's part of the bargain: finds, notes, and goes away when it is told to."""

    def __init__(self, *keys: ApiKey) -> None:
        self.rows = {key.id: key for key in keys}
        self.asked: list[str] = []
        self.touched: list[datetime] = []
        self.away = False
        self.read_only = False
        self.hangs = False

    async def find(self, key_id: str) -> ApiKey | None:
        self.asked.append(key_id)
        await self._outage(self.away)
        return self.rows.get(key_id)

    async def touch(self, key_id: str, now: datetime, before: datetime) -> None:
        await self._outage(self.away or self.read_only)
        assert now - before == timedelta(minutes=1)
        self.touched.append(now)
        self.rows[key_id] = msgspec.structs.replace(self.rows[key_id], last_used_at=now)

    async def _outage(self, away: bool) -> None:
        await trio.lowlevel.checkpoint()
        if self.hangs:
            await trio.sleep_forever()
        if away:
            raise Unavailable("away")


@pytest.fixture
def keys() -> FakeKeys:
    return FakeKeys(MINTED.key)


@pytest.fixture
def keyring(keys: FakeKeys, autojump_clock: MockClock) -> Keyring:
    def present() -> datetime:
        return NOW + timedelta(seconds=autojump_clock.current_time())

    return Keyring(Settings(admin_key=AdminKey(ADMIN), remembered=2), keys, present)


async def refused(keyring: Keyring, token: str) -> None:
    with pytest.raises(Unauthorized):
        await keyring.authenticate(token)


async def test_the_configured_key_is_an_admin_without_any_query(keyring: Keyring, keys: FakeKeys) -> None:
    keys.away = True

    assert await keyring.authenticate(ADMIN) is Scope.ADMIN


async def test_without_a_configured_key_an_empty_token_is_nobody(keys: FakeKeys) -> None:
    await refused(Keyring(Settings(), keys, lambda: NOW), "")


@pytest.mark.parametrize("token", ["", ADMIN[:-1], ADMIN + "x", "pk_admin_x_y", TOKEN + "\n", "\0" * 9, "\ud800"])
async def test_what_has_not_the_form_of_a_token_never_reaches_the_database(
    keyring: Keyring, keys: FakeKeys, token: str
) -> None:
    await refused(keyring, token)

    assert keys.asked == []


async def test_a_stored_key_has_the_scope_of_its_row(keyring: Keyring) -> None:
    assert await keyring.authenticate(TOKEN) is Scope.METRICS
    assert await keyring.authenticate(TOKEN.replace("metrics", "admin")) is Scope.METRICS


async def test_a_wrong_secret_and_an_unknown_id_are_refused_alike(keyring: Keyring, keys: FakeKeys) -> None:
    await refused(keyring, TOKEN[:-1] + "B")
    await refused(keyring, mint(Scope.METRICS, "", NOW, b"x" * ENTROPY).token.reveal())

    assert len(keys.asked) == 2


async def test_a_recognised_key_is_looked_up_once_a_minute(
    keyring: Keyring, keys: FakeKeys, autojump_clock: MockClock
) -> None:
    for seconds in (0, 59, 1, 59, 1):
        await trio.sleep(seconds)
        await keyring.authenticate(TOKEN)

    assert len(keys.asked) == 3


async def test_a_revoked_key_is_refused_when_it_is_looked_up_again(
    keyring: Keyring, keys: FakeKeys, autojump_clock: MockClock
) -> None:
    await keyring.authenticate(TOKEN)
    keys.rows.clear()
    await trio.sleep(60)

    await refused(keyring, TOKEN)
    keys.away = True
    with pytest.raises(Unavailable):
        await keyring.authenticate(TOKEN)


async def test_an_outage_is_survived_for_an_hour_and_asked_about_once_a_minute(
    keyring: Keyring, keys: FakeKeys, autojump_clock: MockClock
) -> None:
    await keyring.authenticate(TOKEN)
    keys.away = True
    for _ in range(118):
        await trio.sleep(30)
        assert await keyring.authenticate(TOKEN) is Scope.METRICS

    assert len(keys.asked) == 60
    await trio.sleep(60)
    with pytest.raises(Unavailable):
        await keyring.authenticate(TOKEN)


async def test_a_key_that_was_never_recognised_waits_for_the_database(keyring: Keyring, keys: FakeKeys) -> None:
    keys.away = True

    with pytest.raises(Unavailable):
        await keyring.authenticate(TOKEN)


async def test_a_database_that_hangs_holds_up_a_recognised_key_for_a_second_only(
    keyring: Keyring, keys: FakeKeys, autojump_clock: MockClock
) -> None:
    await keyring.authenticate(TOKEN)
    await trio.sleep(60)
    keys.hangs = True

    with trio.fail_after(1.5):
        assert await keyring.authenticate(TOKEN) is Scope.METRICS


async def test_a_grace_of_nothing_means_no_entrance_without_the_database(
    keys: FakeKeys, autojump_clock: MockClock
) -> None:
    keyring = Keyring(Settings(outage_grace=Duration(0)), keys, lambda: NOW)
    await keyring.authenticate(TOKEN)
    keys.away = True

    assert await keyring.authenticate(TOKEN) is Scope.METRICS
    await trio.sleep(60)
    with pytest.raises(Unavailable):
        await keyring.authenticate(TOKEN)


async def test_use_is_noted_once_a_minute(keyring: Keyring, keys: FakeKeys) -> None:
    await keyring.authenticate(TOKEN)
    await keyring.authenticate(TOKEN.replace("metrics", "worker"))  # another token for the same row: asks again

    assert keys.touched == [NOW]


async def test_that_use_cannot_be_noted_does_not_matter(keyring: Keyring, keys: FakeKeys) -> None:
    keys.read_only = True

    assert await keyring.authenticate(TOKEN) is Scope.METRICS


async def test_the_memory_is_bounded_and_forgets_what_was_not_used(keys: FakeKeys, keyring: Keyring) -> None:
    tokens = []
    for number in range(3):
        minted = mint(Scope.WORKER, "", NOW, bytes([number]) * ENTROPY)
        keys.rows[minted.key.id] = minted.key
        tokens.append(minted.token.reveal())
    for token in (tokens[0], tokens[1], tokens[0], tokens[2]):
        await keyring.authenticate(token)
    keys.asked.clear()

    for token in (tokens[0], tokens[2], tokens[1]):
        await keyring.authenticate(token)

    assert len(keys.asked) == 1
