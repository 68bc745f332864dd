"""What APNs says when it refuses, in the parts that decide. Pure, and never raises.

Apple's reasons are single words; a reason that is not such a word is not repeated, since it may be anything.
"""

import re
from datetime import datetime, timedelta
from typing import NamedTuple

import msgspec

from tocsin.clock import from_ms
from tocsin.net.http import Answer
from tocsin.net.retry_after import retry_after

_WORD = re.compile(r"[A-Za-z][A-Za-z0-9]{0,63}")
_ID = re.compile(r"[0-9A-Za-z-]{1,64}")


class Complaint(NamedTuple):
    """A refusal. `reason` is empty where none was said. `dead_since` is since when the device's token is dead."""

    status: int
    reason: str
    dead_since: datetime | None
    retry_after: timedelta | None

    @property
    def code(self) -> str:
        """The status and the reason, as outcomes and metrics have it."""
        return f"{self.status} {self.reason}".rstrip()


class _Body(msgspec.Struct, frozen=True):
    reason: object = None
    timestamp: object = None


def complaint(answer: Answer, now: datetime) -> Complaint:
    """Return what an answer other than 200 says."""
    body = _body(answer)
    return Complaint(
        status=answer.status,
        reason=_reason(body),
        dead_since=_moment(body.timestamp),
        retry_after=retry_after(answer.headers.get("retry-after"), now),
    )


def reason(answer: Answer) -> str:
    """Return the reason that an answer gives, empty if none."""
    return _reason(_body(answer))


def push_id(answer: Answer) -> str | None:
    """Return the name that APNs gave the push."""
    found = answer.headers.get("apns-id", "")
    return found.lower() if _ID.fullmatch(found) else None


def _body(answer: Answer) -> _Body:
    try:
        return msgspec.json.decode(answer.body, type=_Body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _Body()


def _reason(body: _Body) -> str:
    return body.reason if isinstance(body.reason, str) and _WORD.fullmatch(body.reason) else ""


def _moment(milliseconds: object) -> datetime | None:
    if not isinstance(milliseconds, int) or isinstance(milliseconds, bool):
        return None
    try:
        return from_ms(milliseconds)
    except OverflowError:
        return None
