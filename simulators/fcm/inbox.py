"""What was received: the newest messages, bounded in number, and counts that forget nothing. For one event loop."""

from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """One accepted message, as it was sent. `id` counts up from 1; `name` is what the client was told it is called."""

    id: int
    at: datetime
    name: str
    message: Mapping[str, Any] = field(repr=False)

    @property
    def token(self) -> str:
        """The device."""
        return str(self.message.get("token") or self.message.get("fid"))

    @property
    def title(self) -> str:
        """What a device shows first."""
        return str(self.message.get("notification", {}).get("title", ""))

    @property
    def body(self) -> str:
        """What a device shows below."""
        return str(self.message.get("notification", {}).get("body", ""))


class Inbox:
    """The messages of every device. `now` says when one arrives."""

    def __init__(self, *, now: Callable[[], datetime], most: int = 10_000) -> None:
        self._now = now
        self._most = most
        self._messages: OrderedDict[int, Received] = OrderedDict()
        self._last_id = 0
        self._by_token: Counter[str] = Counter()

    @property
    def by_token(self) -> Mapping[str, int]:
        """How many messages each device received, those included that are no longer kept."""
        return MappingProxyType(self._by_token)

    @property
    def total(self) -> int:
        """How many messages were received."""
        return self._by_token.total()

    def receive(self, project: str, message: Mapping[str, Any]) -> Received:
        """Keep and count a message; the oldest makes room for it."""
        self._last_id += 1
        name = f"projects/{project}/messages/0:{self._last_id:016}%tocsin"
        received = Received(id=self._last_id, at=self._now(), name=name, message=message)
        self._messages[received.id] = received
        self._by_token[received.token] += 1
        if len(self._messages) > self._most:
            self._messages.popitem(last=False)
        return received

    def newest(self, *, token: str | None = None) -> Iterator[Received]:
        """Iterate over the messages that are kept, the newest first, of one device or of all."""
        return (each for each in reversed(self._messages.values()) if token is None or each.token == token)

    def clear(self) -> None:
        """Forget every message and every count. Ids go on."""
        self._messages.clear()
        self._by_token.clear()
