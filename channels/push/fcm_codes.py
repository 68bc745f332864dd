"""What an error of FCM means, by the table in `fcm_codes.toml`: its own code first, then the status, then HTTP's."""

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from importlib import resources
from typing import Any, NamedTuple

from channels.push.fcm_answer import Complaint
from tocsin.outcome import Deferred, Misconfigured, Outcome, Rejected, Throttled, Unconfirmed

_SUCCESS = 2
_CLIENT_ERROR = 4
_SERVER_ERROR = 5


class Reading(NamedTuple):
    """An error's outcome, and the code to count, since the table does not know it or cannot tell what it is about."""

    outcome: Outcome
    unmapped: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the table."""

    key: tuple[str, str]
    outcome: str
    reason: str
    quota: str = ""
    scope: Any = None
    wait: timedelta | None = None
    suppress: Any = None
    counted: bool = False


class Table:
    """The table at work. Made once from `load`."""

    def __init__(self, rows: Iterable[Row]) -> None:
        self._rows: dict[tuple[str, str], list[Row]] = {}
        for row in rows:
            self._rows.setdefault(row.key, []).append(row)

    def classify(self, http: int, said: Complaint, retry_after: timedelta | None) -> Reading:
        """Return what an answer other than 200 means. Never raises; every status has an outcome."""
        code = f"{http} {said.error_code or said.status}".rstrip()
        keys = (("error_code", said.error_code), ("status", said.status), ("http", str(http)))
        unknown = said.error_code if said.error_code and keys[0] not in self._rows else ""
        for key in keys:
            for row in self._rows.get(key, ()):
                if row.quota in said.quotas:
                    outcome = _outcome(row, code, said.text, retry_after or row.wait)
                    return Reading(outcome, unmapped=code if row.counted or unknown else "")
        return Reading(_unmapped(http, code, said.text), unmapped=code)


def load() -> Table:
    """Read the table that is shipped with this package. Raises KeyError or ValueError if a row is wrong: a bug."""
    text = resources.files(__package__).joinpath("fcm_codes.toml").read_text(encoding="utf-8")
    return Table(map(_row, tomllib.loads(text)["row"]))


def _unmapped(http: int, code: str, text: str) -> Outcome:
    """Return what a status means that no row knows. Only a 4xx says that the message was surely not taken."""
    match http // 100:
        case kind if kind == _CLIENT_ERROR:
            return Rejected(reason="unmapped", scope="message", code=code, message=text)
        case kind if kind == _SERVER_ERROR:
            return Unconfirmed(phase="unmapped", code=code, message=text)
        case kind if kind == _SUCCESS:
            return Unconfirmed(phase="answer", code=code, message=text)
        case _:
            return Misconfigured(detail="fcm.base_url does not answer like FCM", code=code, message=text)


def _outcome(row: Row, code: str, text: str, wait: timedelta | None) -> Outcome:
    match row.outcome:
        case "deferred":
            return Deferred(cause=row.reason, retry_after=wait, code=code, message=text)
        case "throttled":
            return Throttled(scope=row.scope, retry_after=wait, code=code, message=text)
        case "misconfigured":
            return Misconfigured(detail=row.reason, code=code, message=text or row.reason)
        case "unconfirmed":
            return Unconfirmed(phase=row.reason, code=code, message=text)
        case "rejected-address":
            return Rejected(reason=row.reason, scope="address", code=code, message=text, suppress=row.suppress)
        case _:
            return Rejected(reason=row.reason, scope="message", code=code, message=text)


def _row(raw: dict[str, Any]) -> Row:
    [key] = [(name, str(raw[name])) for name in ("error_code", "status", "http") if name in raw]
    wait = raw.get("wait_seconds")
    return Row(
        key=key,
        outcome=raw["outcome"],
        reason=raw["reason"],
        quota=raw.get("quota", ""),
        scope=raw.get("scope"),
        wait=None if wait is None else timedelta(seconds=wait),
        suppress=raw.get("suppress"),
        counted=raw.get("counted", False),
    )
