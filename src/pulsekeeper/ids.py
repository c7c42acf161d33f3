"""Identifiers that sort by the time they were made (RFC 9562, version 7)."""

import secrets
from datetime import UTC, datetime, timedelta
from uuid import UUID

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


def uuid7(now: datetime, entropy: int | None = None) -> UUID:
    """A version 7 UUID dated `now`, to the millisecond, with 74 random bits.

    `entropy` takes the place of the random bits where a test or a replay must have the same id again.
    """
    bits = secrets.randbits(74) if entropy is None else entropy
    milliseconds = (now - _EPOCH) // _MILLISECOND
    high, low = bits >> 62, bits & ((1 << 62) - 1)
    return UUID(int=(milliseconds & 0xFFFF_FFFF_FFFF) << 80 | 0x7 << 76 | (high & 0xFFF) << 64 | 0b10 << 62 | low)


def made_at(identifier: UUID) -> datetime:
    """When a version 7 UUID was made, to the millisecond."""
    return _EPOCH + timedelta(milliseconds=identifier.int >> 80)
