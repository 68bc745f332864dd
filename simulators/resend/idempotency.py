"""Idempotency keys as Resend has them: for 24 hours the same key and the same body get the first answer again.

Source: https://resend.com/docs/dashboard/emails/idempotency-keys
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from hashlib import sha256

_KEPT = timedelta(hours=24)
_MOST_KEYS = 100_000


class Conflict(Enum):
    """Why a key cannot be used: by Resend's name of the error."""

    MODIFIED = "invalid_idempotent_request"
    CONCURRENT = "concurrent_idempotent_requests"


@dataclass(slots=True)
class _Use:
    digest: bytes
    at: datetime
    answer: str | None = None


class Keys:
    """The keys that were used. `now` says when."""

    def __init__(self, *, now: Callable[[], datetime]) -> None:
        self._now = now
        self._uses: dict[str, _Use] = {}

    def begin(self, key: str, body: bytes) -> str | Conflict | None:
        """Begin a use of a key. Returns None if it is the first, else the id that the first was answered with."""
        self._forget()
        digest = sha256(body).digest()
        use = self._uses.get(key)
        if use is None:
            self._uses[key] = _Use(digest, self._now())
            return None
        if use.digest != digest:
            return Conflict.MODIFIED
        return Conflict.CONCURRENT if use.answer is None else use.answer

    def end(self, key: str, answer: str | None) -> None:
        """End a use: with the id that it was answered with, or None for a refusal, which is not remembered."""
        if answer is None:
            del self._uses[key]
        else:
            self._uses[key].answer = answer

    def _forget(self) -> None:
        """Forget the oldest: uses stand in the order of their times."""
        since = self._now() - _KEPT
        while self._uses:
            key = next(iter(self._uses))
            if self._uses[key].at > since and len(self._uses) <= _MOST_KEYS:
                return
            del self._uses[key]
