"""What browsers were pushed, in the clear."""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import count

_MAX_KEPT = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A message as a browser read it. `text` is its plaintext; `ttl` is in seconds."""

    id: int
    at: datetime
    subscription: str
    text: str
    ttl: int
    urgency: str
    topic: str | None
    key: str
    subject: str


class Inbox:
    """The last messages, and how many there were in all."""

    def __init__(self, *, now: Callable[[], datetime]) -> None:
        self._now = now
        self._numbers = count(1)
        self._kept: deque[Message] = deque(maxlen=_MAX_KEPT)
        self.total = 0

    def receive(
        self,
        *,
        subscription: str,
        plaintext: bytes,
        ttl: int,
        urgency: str,
        topic: str | None,
        key: str,
        subject: str,
    ) -> Message:
        """Keep a message."""
        message = Message(
            id=next(self._numbers),
            at=self._now(),
            subscription=subscription,
            text=plaintext.decode(errors="replace"),
            ttl=ttl,
            urgency=urgency,
            topic=topic,
            key=key,
            subject=subject,
        )
        self._kept.append(message)
        self.total += 1
        return message

    def newest(self, subscription: str | None = None) -> Iterator[Message]:
        """Yield the messages that are kept, of one subscription or of all, the newest first."""
        return (each for each in reversed(self._kept) if subscription in (None, each.subscription))

    def clear(self) -> None:
        """Forget every message, and the count."""
        self._kept.clear()
        self.total = 0
