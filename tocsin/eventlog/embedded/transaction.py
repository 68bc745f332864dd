"""What a write may do inside the writer's transaction."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import apsw

from tocsin.errors import TopicMismatch
from tocsin.eventlog.embedded import tables
from tocsin.eventlog.murmur2 import partition_for
from tocsin.record import Partition, Record

# Keys come in bursts (a notification's events share theirs), and murmur2 in Python costs more than a look-up.
_KEY_CACHE = 4096


@dataclass(slots=True)
class Layout:
    """The partitions that there are: their numbers, and the next offset of each (the writer's own truth)."""

    ids: dict[Partition, int] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    tails: dict[Partition, int] = field(default_factory=dict)
    _places: dict[tuple[str, bytes], Partition] = field(default_factory=dict)
    _turn: int = 0

    def add(self, partition: Partition, partition_id: int, tail: int) -> None:
        """Take note of a partition."""
        self.ids[partition] = partition_id
        self.tails[partition] = tail
        self.counts[partition.topic] = max(self.counts.get(partition.topic, 0), partition.number + 1)

    def place(self, record: Record) -> Partition:
        """Return the partition of a record: by its key, in turn without one. Raises TopicMismatch."""
        count = self.counts.get(record.topic)
        if count is None:
            raise TopicMismatch(f"topic {record.topic} does not exist")
        if record.key is None:
            self._turn += 1
            return Partition(record.topic, self._turn % count)
        known = (record.topic, record.key)
        place = self._places.get(known)
        if place is None:
            if len(self._places) >= _KEY_CACHE:
                self._places.clear()
            place = self._places[known] = Partition(record.topic, partition_for(record.key, count))
        return place


class Appended(NamedTuple):
    """A record at its place."""

    place: Partition
    offset: int
    record: Record


class Transaction:
    """The writer's open transaction, as an operation sees it."""

    def __init__(self, connection: apsw.Connection, layout: Layout, now_ms: int) -> None:
        self.connection = connection
        self.layout = layout
        self.now_ms = now_ms
        self.tails: dict[Partition, int] = {}
        self.appended: list[Appended] = []

    def append(self, records: Sequence[Record]) -> None:
        """Append records at the tails of their partitions, all or none. Raises TopicMismatch."""
        places = [self.layout.place(record) for record in records]
        for place, record in zip(places, records, strict=True):
            offset = self.tails.get(place)
            if offset is None:
                offset = self.layout.tails[place]
            self.tails[place] = offset + 1
            self.appended.append(Appended(place, offset, record))

    def flush(self) -> None:
        """Write what was appended."""
        ids = self.layout.ids
        rows = [
            (tables.row_id(ids[place], offset), self.now_ms, record.key, tables.pack(record.headers), record.value)
            for place, offset, record in self.appended
        ]
        # FAIL: a statement that fails ends the whole transaction anyway, and need not be able to take itself back.
        tables.insert(self.connection, "INSERT OR FAIL INTO records VALUES ", rows)
