"""What a refusal of APNs means, by the table in `apns_codes.toml`: its status and reason, else its status or class."""

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from importlib import resources
from typing import Any, NamedTuple

from channels.push.apns_answer import Complaint
from tocsin.outcome import Deferred, Misconfigured, Outcome, Rejected, Throttled, Unconfirmed


class Reading(NamedTuple):
    """A refusal's outcome, and whether the table knew it (what it did not know is counted by the caller)."""

    outcome: Outcome
    mapped: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the table. Without `reasons` it is for what no other row of its status knows."""

    status: str
    reasons: tuple[str, ...]
    outcome: str
    reason: str
    scope: Any = None
    suppress: str | None = None


class Table:
    """The table at work. Made once from `load`."""

    def __init__(self, rows: Iterable[Row]) -> None:
        self.rows = tuple(rows)
        self._by_key = {(row.status, reason): row for row in self.rows for reason in row.reasons or ("",)}

    def classify(self, said: Complaint, *, known_at: datetime) -> Reading:
        """Return what a refusal means. Never raises; every status has an outcome.

        `known_at` is when we knew the device's token at the latest. A token that died before may have come to life
        again since, by the app's new registration: its delivery is over, but the address is not suppressed.
        """
        row = self._by_key.get((str(said.status), said.reason)) if said.reason else None
        if row is not None:
            return Reading(_outcome(row, said, known_at), mapped=True)
        for status in (str(said.status), f"{said.status // 100}xx"):
            if row := self._by_key.get((status, "")):
                return Reading(_outcome(row, said, known_at), mapped=False)
        return Reading(
            Unconfirmed(phase="answer", code=said.code, message="the answer is not one of APNs's"), mapped=False
        )


def load() -> Table:
    """Read the table that is shipped with this package. Raises KeyError or ValueError if a row is wrong: a bug."""
    text = resources.files(__package__).joinpath("apns_codes.toml").read_text(encoding="utf-8")
    return Table(map(_row, tomllib.loads(text)["row"]))


def _outcome(row: Row, said: Complaint, known_at: datetime) -> Outcome:
    match row.outcome:
        case "deferred":
            return Deferred(cause=row.reason, retry_after=said.retry_after, code=said.code)
        case "throttled":
            return Throttled(scope=row.scope, retry_after=said.retry_after, code=said.code)
        case "misconfigured":
            return Misconfigured(detail=row.reason, code=said.code, message=row.reason)
        case "rejected-address":
            died_with_us = said.dead_since is not None and said.dead_since >= known_at
            suppress = row.suppress if died_with_us else None
            return Rejected(reason=row.reason, scope="address", code=said.code, suppress=suppress)
        case _:
            return Rejected(reason=row.reason, scope="message", code=said.code)


def _row(raw: Mapping[str, Any]) -> Row:
    return Row(
        status=str(raw["status"]),
        reasons=tuple(raw.get("reasons", ())),
        outcome=raw["outcome"],
        reason=raw["reason"],
        scope=raw.get("scope"),
        suppress=raw.get("suppress"),
    )
