"""What was received: the newest pushes, bounded in number, and counts that forget nothing. For one event loop."""

from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """One accepted push. `id` counts up from 1; `headers` are those of APNs, without the authorization."""

    id: int
    at: datetime
    token: str
    headers: Mapping[str, str]
    payload: Mapping[str, Any] = field(repr=False)

    @property
    def title(self) -> str:
        """What a device shows first."""
        return self._alert("title")

    @property
    def body(self) -> str:
        """What a device shows below."""
        return self._alert("body")

    def _alert(self, name: str) -> str:
        aps = self.payload.get("aps")
        alert = aps.get("alert") if isinstance(aps, dict) else None
        return str(alert.get(name, "")) if isinstance(alert, dict) else ""


class Inbox:
    """The pushes of every device. `now` says when one arrives."""

    def __init__(self, *, now: Callable[[], datetime], most: int = 10_000) -> None:
        self._now = now
        self._received: deque[Received] = deque(maxlen=most)
        self._by_token: Counter[str] = Counter()
        self._total = 0
        self._last_id = 0

    @property
    def total(self) -> int:
        """How many came, those that are no longer kept included."""
        return self._total

    @property
    def by_token(self) -> Mapping[str, int]:
        """How many came for each device."""
        return MappingProxyType(self._by_token)

    def receive(self, *, token: str, headers: Mapping[str, str], payload: Mapping[str, Any]) -> None:
        """Keep a push."""
        self._last_id += 1
        self._total += 1
        self._by_token[token] += 1
        kept = {name: value for name, value in headers.items() if name.startswith("apns-")}
        self._received.append(Received(id=self._last_id, at=self._now(), token=token, headers=kept, payload=payload))

    def newest(self, *, token: str | None = None) -> Iterator[Received]:
        """Iterate over the pushes that are kept, the newest first, of one device or of all."""
        return (each for each in reversed(self._received) if token is None or each.token == token)

    def clear(self) -> None:
        """Forget every push and every count. Ids go on."""
        self._received.clear()
        self._by_token.clear()
        self._total = 0
