"""Outcomes in words, for the tests of the tables of codes."""

from channels.email.api_codes import Row, Table
from tocsin.outcome import Deferred, Misconfigured, Rejected, Throttled, Unconfirmed

# HTTP status, error, text; and the outcome in words.
Case = tuple[int, str, str, str]


def worded(table: Table, status: int, error: str, text: str) -> str:
    """Return an error's class in words; of a throttled one also its reason and wait in seconds, if it has a wait."""
    match table.classify(status, error, text).outcome:
        case Throttled(scope=scope, retry_after=None):
            return f"throttled {scope}"
        case Throttled(scope=scope, retry_after=wait) if wait is not None:
            [reason] = {row.reason for row in table.rows if row.fits(status, error, text.lower()) and row.wait == wait}
            return f"throttled {scope} {reason} {wait.total_seconds():.0f}"
        case Rejected(scope=scope, reason=reason):
            return f"rejected {scope} {reason}"
        case Misconfigured(detail=reason) | Deferred(cause=reason) | Unconfirmed(phase=reason):
            return f"{type(table.classify(status, error, text).outcome).__name__.lower()} {reason}"
        case found:
            raise AssertionError(found)


def row_of(table: Table, case: Case) -> Row:
    """Return the row that decides a case."""
    status, error, text, _ = case
    return next(row for row in table.rows if row.fits(status, error, text.lower()))
