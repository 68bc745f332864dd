"""The gate: records that wait for their time, in memory, while polling goes on. One heap, one timer.

It holds no more than the trackers let in, and nothing that the log does not have: after a crash it is rebuilt from the
headers of what is read again.
"""

import heapq
from collections.abc import Callable
from datetime import datetime
from itertools import count

from tocsin.clock import Clock, Timer
from tocsin.record import Partition, Received


class Gate:
    """Lets records through when they are due, the earliest first. `open_` is called with each, on the loop."""

    def __init__(self, *, clock: Clock, open_: Callable[[Received, datetime], None]) -> None:
        self._clock = clock
        self._open = open_
        self._heap: list[tuple[datetime, int, Received]] = []
        self._order = count()
        self._timer: Timer | None = None
        self._armed_for: datetime | None = None

    def __len__(self) -> int:
        """Return how many records wait."""
        return len(self._heap)

    def wait(self, received: Received, until: datetime) -> None:
        """Hold a record until it is due."""
        heapq.heappush(self._heap, (until, next(self._order), received))
        self._arm()

    def forget(self, partitions: set[Partition]) -> None:
        """Drop what belongs to partitions that are taken away: their next owner reads it again."""
        self._heap = [entry for entry in self._heap if entry[2].place not in partitions]
        heapq.heapify(self._heap)
        self._arm()

    def _arm(self) -> None:
        earliest = self._heap[0][0] if self._heap else None
        if earliest == self._armed_for:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._armed_for = earliest
        self._timer = self._clock.call_at(earliest, self._fire) if earliest is not None else None

    def _fire(self) -> None:
        self._timer = None
        self._armed_for = None
        now = self._clock.now()
        while self._heap and self._heap[0][0] <= now:
            due, _, received = heapq.heappop(self._heap)
            self._open(received, due)
        self._arm()
