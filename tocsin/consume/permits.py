"""Who may have an attempt in flight: the lanes of one channel share its permits.

Fresh traffic of `high` has some to itself. Bulk and retried traffic have a small share that normal traffic leaves to
them, and retried traffic no more than 30 % while fresh traffic waits. Within these rules the more urgent goes first.
Where there are too few permits for a share of them, it is a share of the starts.
"""

from collections.abc import Callable
from typing import NamedTuple, Protocol

from tocsin.delivery import Lane

_HIGH_RESERVE = 0.125
_MINIMUM_SHARE = 0.1
_RETRY_CEILING = 0.3
# Where the minimum share is less than a permit, who was passed over this often is next.
_PASSED_OVER = 10
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
        self._most = total
        self._held: dict[Stream, int] = {}
        self._retrying = 0
        self.in_flight = 0
        self._wanting: list[tuple[Waiting, Callable[[], None]]] = []
        # How many permits were taken ever, and that number at the last one of each stream.
        self._starts = 0
        self._started_at: dict[Stream, int] = {}
        self._share(total)

    def limit(self, room: float) -> None:
        """Share out no more permits than there is room for, whole ones, and at least 1; what is taken stays taken."""
        total = self._most if room >= self._most else max(1, int(room))
        if total != self._total:
            self._share(total)

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
        self._starts += 1
        self._started_at[stream] = self._starts
        return True

    def give(self, stream: Stream) -> None:
        """Give a permit back, and let those who wait have it: first who is below its share, then by urgency."""
        self._count(stream, -1)
        wanting = [entry for entry in self._wanting if entry[0].pending]
        starved = [entry for entry in wanting if self._starved(entry[0].stream)]
        for _, start in (*starved, *wanting):
            start()

    def _share(self, total: int) -> None:
        self._total = total
        self._reserve = max(1, int(total * _HIGH_RESERVE)) if total > 1 else 0
        self._minimum = int(total * _MINIMUM_SHARE)
        self._ceiling = max(1, int(total * _RETRY_CEILING))

    def _may(self, stream: Stream) -> bool:
        free = self._total - self.in_flight
        if free <= 0 or (stream.retrying and self._retrying >= self._ceiling and self._fresh_waits()):
            return False
        if stream == _FIRST:
            return True
        shared = free - max(0, self._reserve - self._held.get(_FIRST, 0))
        return shared > 0 and (self._starved(stream) or shared > self._owed_to_others(stream))

    def _starved(self, stream: Stream) -> bool:
        return self._owed(stream) > 0

    def _owed(self, stream: Stream) -> int:
        """Return how many permits a stream is below its share."""
        if not (stream.retrying or stream.lane is Lane.BULK):
            return 0
        held = self._held.get(stream, 0)
        if self._minimum:
            return max(0, self._minimum - held)
        passed_over = self._starts - self._started_at.get(stream, 0) >= _PASSED_OVER
        return 1 if passed_over and not held else 0

    def _owed_to_others(self, stream: Stream) -> int:
        """Return how many permits wait for traffic that is below its share, has something to do, and may do it."""
        fresh = retried = 0
        for waiting, _ in self._wanting:
            if (pending := waiting.pending) and waiting.stream != stream:
                owed = min(pending, self._owed(waiting.stream))
                if waiting.stream.retrying:
                    retried += owed
                elif waiting.stream == _FIRST:
                    # It waits though it may take any: for room, not for permits. The reserve is not counted here.
                    fresh += max(0, pending - max(0, self._reserve - self._held.get(_FIRST, 0)))
                else:
                    fresh += owed
        return fresh + min(retried, max(0, self._ceiling - self._retrying))

    def _count(self, stream: Stream, change: int) -> None:
        self._held[stream] = self._held.get(stream, 0) + change
        self.in_flight += change
        if stream.retrying:
            self._retrying += change

    def _fresh_waits(self) -> bool:
        return any(waiting.pending for waiting, _ in self._wanting if not waiting.stream.retrying)
