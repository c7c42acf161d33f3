"""Which SQLSTATE means what to a store."""

import pytest

from pulsekeeper.errors import Unavailable
from pulsekeeper.postgres.failures import (
    CheckViolation,
    ForeignKeyViolation,
    TransactionConflict,
    UniqueViolation,
    failure,
)


@pytest.mark.parametrize(
    ("sqlstate", "kind"),
    [
        ("08006", Unavailable),
        ("25006", Unavailable),
        ("28P01", Unavailable),
        ("3D000", Unavailable),
        ("53300", Unavailable),
        ("57014", Unavailable),
        ("57P01", Unavailable),
        ("57P03", Unavailable),
        ("58030", Unavailable),
        ("40001", TransactionConflict),
        ("40P01", TransactionConflict),
        ("55P03", TransactionConflict),
        ("23503", ForeignKeyViolation),
        ("23505", UniqueViolation),
        ("23514", CheckViolation),
        ("23502", type(None)),
        ("42P01", type(None)),
        ("XX001", type(None)),
        (None, type(None)),
    ],
)
def test_a_code_has_one_meaning(sqlstate: str | None, kind: type) -> None:
    """Outages, conflicts and broken rules are told apart; everything else stays a bug."""
    assert type(failure(sqlstate, "visitors", "one_per_person")) is kind


def test_a_broken_rule_says_which() -> None:
    """A store matches on the constraint's name."""
    violation = failure("23505", "visitors", "one_per_person")
    assert isinstance(violation, UniqueViolation)
    assert (violation.table, violation.constraint) == ("visitors", "one_per_person")


def test_only_what_another_try_can_mend_is_retryable() -> None:
    """Outages and conflicts are; both are answers, not crashes."""
    for sqlstate in ("08006", "40001"):
        error = failure(sqlstate, None, None)
        assert isinstance(error, Unavailable | TransactionConflict)
        assert error.retryable
