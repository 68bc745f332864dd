"""The newest records, kept in memory: those who follow the log closely need no disk to read it.

Bounded in bytes over all partitions; the oldest go first. What is not here is on disk.
"""

from collections import deque
from dataclasses import dataclass, field

from tocsin.record import Partition, Received


@dataclass(slots=True)
class _Stretch:
    """The kept records of one partition, without gaps; those before `first` are gone."""

    records: list[Received] = field(default_factory=list)
    first: int = 0
    forgotten: int = 0

    @property
    def kept(self) -> int:
        """How many records are kept."""
        return len(self.records) - self.first

    def drop_oldest(self) -> int:
        """Forget the oldest; return what it weighed."""
        size = self.records[self.first].size
        self.first += 1
        if self.first * 2 > len(self.records):
            del self.records[: self.first]
            self.first = 0
        return size


class Tail:
    """The kept records of all partitions. Belongs to the loop."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._bytes = 0
        self._stretches: dict[Partition, _Stretch] = {}
        self._order: deque[Partition] = deque()

    def add(self, partition: Partition, received: Received) -> None:
        """Keep a record, the next one of its partition."""
        stretch = self._stretches.get(partition)
        if stretch is None:
            stretch = self._stretches[partition] = _Stretch()
        stretch.records.append(received)
        self._order.append(partition)
        self._bytes += received.size
        while self._bytes > self._max_bytes:
            oldest = self._stretches[self._order.popleft()]
            if oldest.forgotten:
                oldest.forgotten -= 1  # its place in the order outlived it
            else:
                self._bytes -= oldest.drop_oldest()

    def forget(self, partition: Partition, start: int) -> None:
        """Forget what lies before an offset: it was deleted."""
        stretch = self._stretches.get(partition)
        while stretch is not None and stretch.kept and stretch.records[stretch.first].offset < start:
            self._bytes -= stretch.drop_oldest()
            stretch.forgotten += 1

    def read(self, partition: Partition, start: int, limit: int) -> list[Received]:
        """Return records from `start` on, none if that one is not kept."""
        stretch = self._stretches.get(partition)
        if stretch is None or not stretch.kept:
            return []
        index = start - stretch.records[stretch.first].offset
        if index < 0:
            return []
        return stretch.records[stretch.first + index : stretch.first + index + limit]
