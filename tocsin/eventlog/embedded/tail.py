"""The newest records, kept in memory: those who follow the log closely need no disk to read it.

Bounded in bytes over all partitions; the oldest go first. What is not here is on disk.
"""

from collections import deque
from collections.abc import Sequence
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

    def drop_oldest(self, count: int) -> int:
        """Forget the oldest ones; return what they weighed."""
        size = _size(self.records[self.first : self.first + count])
        self.first += count
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
        # Which stretch was added to, and how many: what was written together goes together.
        self._order: deque[tuple[_Stretch, int]] = deque()

    def add(self, partition: Partition, records: Sequence[Received]) -> None:
        """Keep records, the next ones of their partition."""
        stretch = self._stretches.get(partition)
        if stretch is None:
            stretch = self._stretches[partition] = _Stretch()
        stretch.records += records
        self._order.append((stretch, len(records)))
        self._bytes += _size(records)
        while self._bytes > self._max_bytes:
            oldest, count = self._order.popleft()
            gone = min(count, oldest.forgotten)
            oldest.forgotten -= gone  # their place in the order outlived them
            self._bytes -= oldest.drop_oldest(count - gone)

    def forget(self, partition: Partition, start: int) -> None:
        """Forget what lies before an offset: it was deleted."""
        stretch = self._stretches.get(partition)
        if stretch is None or not stretch.kept:
            return
        count = min(start - stretch.records[stretch.first].offset, stretch.kept)
        if count > 0:
            self._bytes -= stretch.drop_oldest(count)
            stretch.forgotten += count

    def read(self, partition: Partition, start: int, limit: int) -> list[Received]:
        """Return records from `start` on, none if that one is not kept."""
        stretch = self._stretches.get(partition)
        if stretch is None or not stretch.kept:
            return []
        index = start - stretch.records[stretch.first].offset
        if index < 0:
            return []
        return stretch.records[stretch.first + index : stretch.first + index + limit]


def _size(records: Sequence[Received]) -> int:
    return sum([received.size for received in records])
