"""Who may have an attempt in flight: the lanes of one channel share its permits.

Fresh traffic of `high` has some to itself. Bulk and retried traffic have a small share that normal traffic leaves to
them, and retried traffic no more than 30 % while fresh traffic waits. Within these rules the more urgent goes first.
"""

from collections.abc import Callable
from typing import NamedTuple, Protocol

from tocsin.delivery import Lane

_HIGH_RESERVE = 0.125
_MINIMUM_SHARE = 0.1
_RETRY_CEILING = 0.3
_URGENCY = {Lane.HIGH: 0, Lane.NORMAL: 1, Lane.BULK: 2}


class Stream(NamedTuple):
    """A kind of traffic: a lane, fresh or retried."""

    lane: Lane
    retrying: bool

    @property
    def urgency(self) -> tuple[int, bool]:
        """Smaller goes first."""
        return _URGENCY[self.lane], self.retrying


# What people wait for: it has permits to itself, and takes any other that is free.
_FIRST = Stream(lane=Lane.HIGH, retrying=False)


class Waiting(Protocol):
    """Traffic that asks for permits."""

    @property
    def stream(self) -> Stream:
        """What it is."""

    @property
    def pending(self) -> int:
        """How many records could start now if there were permits."""


class Permits:
    """The permits of one channel. Belongs to one loop; nothing here waits, those who want are called back."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._reserve = max(1, int(total * _HIGH_RESERVE)) if total > 1 else 0
        self._minimum = int(total * _MINIMUM_SHARE)
        self._ceiling = max(1, int(total * _RETRY_CEILING))
        self._held: dict[Stream, int] = {}
        self._retrying = 0
        self.in_flight = 0
        self._wanting: list[tuple[Waiting, Callable[[], None]]] = []

    def register(self, waiting: Waiting, start: Callable[[], None]) -> None:
        """Call `start` whenever a permit comes back and this traffic may be next."""
        self._wanting.append((waiting, start))
        self._wanting.sort(key=lambda entry: entry[0].stream.urgency)

    def unregister(self, waiting: Waiting) -> None:
        """Forget the traffic."""
        self._wanting = [entry for entry in self._wanting if entry[0] is not waiting]

    def take(self, stream: Stream) -> bool:
        """Take a permit if this traffic may have one now."""
        if not self._may(stream):
            return False
        self._count(stream, 1)
        return True

    def give(self, stream: Stream) -> None:
        """Give a permit back, and let those who wait have it: first who is below its share, then by urgency."""
        self._count(stream, -1)
        wanting = [entry for entry in self._wanting if entry[0].pending]
        starved = [entry for entry in wanting if self._starved(entry[0].stream)]
        for _, start in (*starved, *wanting):
            start()

    def _may(self, stream: Stream) -> bool:
        free = self._total - self.in_flight
        if free <= 0 or (stream.retrying and self._retrying >= self._ceiling and self._fresh_waits()):
            return False
        if stream == _FIRST:
            return True
        shared = free - max(0, self._reserve - self._held.get(_FIRST, 0))
        return shared > (0 if self._starved(stream) else self._owed_to_others(stream))

    def _starved(self, stream: Stream) -> bool:
        shared = stream.retrying or stream.lane is Lane.BULK
        return shared and self._held.get(stream, 0) < self._minimum

    def _owed_to_others(self, stream: Stream) -> int:
        """Return how many permits wait for traffic that is below its share, has something to do, and may do it."""
        barred = self._retrying >= self._ceiling
        return sum(
            min(waiting.pending, self._minimum - self._held.get(waiting.stream, 0))
            for waiting, _ in self._wanting
            if waiting.stream != stream
            and waiting.pending
            and self._starved(waiting.stream)
            and not (barred and waiting.stream.retrying)
        )

    def _count(self, stream: Stream, change: int) -> None:
        self._held[stream] = self._held.get(stream, 0) + change
        self.in_flight += change
        if stream.retrying:
            self._retrying += change

    def _fresh_waits(self) -> bool:
        return any(waiting.pending for waiting, _ in self._wanting if not waiting.stream.retrying)
