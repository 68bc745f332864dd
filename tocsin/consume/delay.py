"""The gate: records that wait for their time, in memory, while polling goes on. One heap, one timer.

It holds no more than the trackers let in, and nothing that the log does not have: after a crash it is rebuilt from the
headers of what is read again. A record that waits is packed: its score of small objects takes three times its bytes.
"""

import heapq
from collections.abc import Callable
from datetime import datetime
from itertools import count
from typing import NamedTuple

import msgspec

from tocsin.clock import Clock, Timer
from tocsin.record import Partition, Received

_pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder(Received).decode


class _Waiting(NamedTuple):
    due: datetime
    order: int
    place: Partition
    packed: bytes


class Gate:
    """Lets records through when they are due, the earliest first. `open_` is called with each, on the loop."""

    def __init__(self, *, clock: Clock, open_: Callable[[Received, datetime], None]) -> None:
        self._clock = clock
        self._open = open_
        self._heap: list[_Waiting] = []
        self._order = count()
        self._timer: Timer | None = None
        self._armed_for: datetime | None = None

    def __len__(self) -> int:
        """Return how many records wait."""
        return len(self._heap)

    def wait(self, received: Received, until: datetime) -> None:
        """Hold a record until it is due."""
        heapq.heappush(self._heap, _Waiting(until, next(self._order), received.place, _pack(received)))
        self._arm()

    def forget(self, partitions: set[Partition]) -> None:
        """Drop what belongs to partitions that are taken away: their next owner reads it again."""
        self._heap = [waiting for waiting in self._heap if waiting.place not in partitions]
        heapq.heapify(self._heap)
        self._arm()

    def _arm(self) -> None:
        earliest = self._heap[0].due if self._heap else None
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
        while self._heap and self._heap[0].due <= now:
            waiting = heapq.heappop(self._heap)
            self._open(_unpack(waiting.packed), waiting.due)
        self._arm()
