"""What an HTTP email API means by an error, by its table: the error's name first, then the HTTP status. Pure.

What leaves this module as text is cut, and has no address in it.
"""

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from importlib import resources
from typing import Any, NamedTuple

from tocsin.observe import redaction
from tocsin.outcome import Deferred, Misconfigured, Outcome, Rejected, Throttled, Unconfirmed

_MOST_TEXT = 512
_REFUSED = range(400, 500)
_TIMEOUT = 408


class Reading(NamedTuple):
    """An error's outcome, and whether the table knew it."""

    outcome: Outcome
    mapped: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the table. `text` is in lower case; empty conditions always hold."""

    error: str = ""
    status: int | None = None
    text: str = ""
    outcome: str
    reason: str
    scope: Any = None
    wait: timedelta | None = None

    def fits(self, status: int, error: str, text: str) -> bool:
        """Return whether every condition of the row holds."""
        return (
            (not self.error or self.error == error)
            and (self.status is None or self.status == status)
            and self.text in text
        )


class Table:
    """The table at work. Made once from `load`. `idempotent`: what is called again with its key is taken once."""

    def __init__(self, rows: Sequence[Row], *, idempotent: bool) -> None:
        self.rows = tuple(rows)
        self._idempotent = idempotent

    def classify(self, status: int, error: str, text: str, retry_after: timedelta | None = None) -> Reading:
        """Return what an answer other than a success means. `error` and `text` are the provider's, as they are."""
        told = f"{status} {redacted(error)[:64]}".rstrip()
        lowered = text.lower()
        for row in self.rows:
            if row.fits(status, error, lowered):
                return Reading(_outcome(row, told, redacted(text), retry_after or row.wait), mapped=True)
        wait = retry_after if self._idempotent else None
        return Reading(_unmapped(status, told, redacted(text), wait), mapped=False)


def load(file: str, *, idempotent: bool) -> Table:
    """Read a table that is shipped with this package. Raises KeyError, TypeError or ValueError if it is wrong."""
    text = resources.files(__package__).joinpath(file).read_text(encoding="utf-8")
    return Table([_row(row) for row in tomllib.loads(text)["row"]], idempotent=idempotent)


def redacted(text: str) -> str:
    """Return at most 512 characters of a provider's text, on one line, without addresses and secrets."""
    line = " ".join("".join(each if each.isprintable() else " " for each in text[:65_536]).split())
    return redaction.text(line, limit=_MOST_TEXT - 1)


def _outcome(row: Row, told: str, message: str, wait: timedelta | None) -> Outcome:
    match row.outcome:
        case "deferred":
            return Deferred(cause=row.reason, retry_after=wait, code=told, message=message)
        case "throttled":
            return Throttled(scope=row.scope, retry_after=wait, code=told, message=message)
        case "misconfigured":
            return Misconfigured(detail=row.reason, code=told, message=message)
        case "unconfirmed":
            return Unconfirmed(phase=row.reason, code=told, message=message)
        case "rejected-message":
            return Rejected(reason=row.reason, scope="message", code=told, message=message)
        case _:
            raise ValueError(f"{row.outcome} is no outcome")


def _unmapped(status: int, told: str, message: str, wait: timedelta | None) -> Outcome:
    """Return the conservative class: a refusal was not taken; what a server that fails did is not known.

    `wait` is how long it asks to wait before the same call is made again, None where that could make a second mail.
    """
    if status in _REFUSED and status != _TIMEOUT:
        return Rejected(reason="unmapped", scope="message", code=told, message=message)
    if wait is not None:
        return Deferred(cause="unmapped", retry_after=wait, code=told, message=message)
    return Unconfirmed(phase="answer", code=told, message=message)


def _row(raw: dict[str, Any]) -> Row:
    seconds = raw.pop("wait_seconds", None)
    row = Row(**raw, wait=None if seconds is None else timedelta(seconds=seconds))
    if not row.error and row.status is None:
        raise ValueError("a row names neither an error nor a status")
    _outcome(row, "", "", None)
    return row
