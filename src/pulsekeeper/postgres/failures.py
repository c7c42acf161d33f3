"""What a statement can run into, as types that a store can match on, and which SQLSTATE means which.

SQLSTATEs are in PostgreSQL's manual, appendix A. A code that is not here is a bug of ours and stays what it is.
"""

from pulsekeeper.errors import Conflict, Unavailable


class TransactionConflict(Conflict):
    """The server gave another transaction precedence. Nothing of this one is stored; running it again may work."""

    title = "Transaction conflict"
    retryable = True


class ConstraintViolation(Exception):
    """A row breaks a rule of the schema. The store that expects it catches it; anywhere else it is a bug."""

    def __init__(self, table: str, constraint: str) -> None:
        # The server's own message repeats the offending values: it may hold personal data and stays in the cause.
        super().__init__(f"{constraint} on {table}")
        self.table = table
        self.constraint = constraint
        """The name that the migration gave to the rule."""


class UniqueViolation(ConstraintViolation):
    """There is such a row already."""


class ForeignKeyViolation(ConstraintViolation):
    """The row that this one points to does not exist, or others still point to the one that should go."""


class CheckViolation(ConstraintViolation):
    """A value is outside of what its column may hold."""


_CONFLICTS = {
    "40001": "Another transaction was faster.",
    "40P01": "The transaction was part of a deadlock.",
    "55P03": "Another transaction holds the lock.",
}
_CONSTRAINTS = {"23503": ForeignKeyViolation, "23505": UniqueViolation, "23514": CheckViolation}
_OUTAGES = {
    "08": "The connection to the database was lost.",
    "25006": "The database takes no writes at the moment.",
    "25P03": "The database ended an idle transaction.",
    "28": "The database refuses our login.",
    "3D000": "There is no such database on the server.",
    "53": "The database is out of room: connections, memory or disk.",
    "57014": "The database stopped the statement.",
    "57P": "The database is starting, stopping or recovering.",
    "58": "The database cannot read or write its files.",
}


def failure(sqlstate: str | None, table: str | None, constraint: str | None) -> Exception | None:
    """The error that stands for a server's SQLSTATE; None when it is nobody's but a bug."""
    code = sqlstate or ""
    if violation := _CONSTRAINTS.get(code):
        return violation(table or "", constraint or "")
    if sentence := _CONFLICTS.get(code):
        return TransactionConflict(sentence)
    sentence = _OUTAGES.get(code) or _OUTAGES.get(code[:3]) or _OUTAGES.get(code[:2])
    return Unavailable(sentence, retry_after=1.0) if sentence else None
