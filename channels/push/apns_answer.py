"""What APNs says when it refuses, in the parts that decide. Pure, and never raises.

Apple's reasons are single words; a reason that is not such a word is not repeated, since it may be anything.
"""

import re
from datetime import datetime, timedelta
from typing import NamedTuple

import msgspec

from tocsin.clock import from_ms
from tocsin.net.http import Answer

_WORD = re.compile(r"[A-Za-z][A-Za-z0-9]{0,63}")
_SECONDS = re.compile(r"[0-9]{1,9}")
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


def complaint(answer: Answer) -> Complaint:
    """Return what an answer other than 200 says."""
    try:
        body = msgspec.json.decode(answer.body, type=_Body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        body = _Body()
    known = isinstance(body.reason, str) and _WORD.fullmatch(body.reason)
    wait = answer.headers.get("retry-after", "")
    return Complaint(
        status=answer.status,
        reason=str(body.reason) if known else "",
        dead_since=_moment(body.timestamp),
        retry_after=timedelta(seconds=int(wait)) if _SECONDS.fullmatch(wait) else None,
    )


def push_id(answer: Answer) -> str | None:
    """Return the name that APNs gave the push."""
    found = answer.headers.get("apns-id", "")
    return found.lower() if _ID.fullmatch(found) else None


def _moment(milliseconds: object) -> datetime | None:
    if not isinstance(milliseconds, int) or isinstance(milliseconds, bool):
        return None
    try:
        return from_ms(milliseconds)
    except OverflowError:
        return None
