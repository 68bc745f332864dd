"""What a write may do inside the writer's transaction."""

from bisect import insort
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import apsw

from tocsin.errors import TopicMismatch
from tocsin.eventlog.embedded import tables
from tocsin.eventlog.murmur2 import partition_for
from tocsin.record import Partition, Record


@dataclass(slots=True)
class Layout:
    """The partitions that there are: their ids, those of each topic, and the next offset of each (the writer's own
    truth)."""

    ids: dict[Partition, int] = field(default_factory=dict)
    topics: dict[str, list[Partition]] = field(default_factory=dict)
    tails: dict[Partition, int] = field(default_factory=dict)
    _turn: int = 0

    def add(self, partition: Partition, partition_id: int, tail: int) -> None:
        """Take note of a partition."""
        self.ids[partition] = partition_id
        self.tails[partition] = tail
        insort(self.topics.setdefault(partition.topic, []), partition)

    def place(self, record: Record) -> Partition:
        """Return the partition of a record: by its key, in turn without one. Raises TopicMismatch."""
        places = self.topics.get(record.topic)
        if places is None:
            raise TopicMismatch(f"topic {record.topic} does not exist")
        if record.key is None:
            self._turn += 1
            return places[self._turn % len(places)]
        return places[partition_for(record.key, len(places))]


class Transaction:
    """The writer's open transaction, as an operation sees it."""

    def __init__(self, connection: apsw.Connection, layout: Layout, now_ms: int) -> None:
        self.connection = connection
        self.layout = layout
        self.now_ms = now_ms
        self.appended: defaultdict[Partition, list[Record]] = defaultdict(list)

    @property
    def tails(self) -> Mapping[Partition, int]:
        """The next offset of each partition that was appended to."""
        return {place: self.layout.tails[place] + len(records) for place, records in self.appended.items()}

    def append(self, records: Sequence[Record]) -> None:
        """Append records at the tails of their partitions, all or none. Raises TopicMismatch."""
        places = [self.layout.place(record) for record in records]
        for place, record in zip(places, records, strict=True):
            self.appended[place].append(record)

    def flush(self) -> None:
        """Write what was appended."""
        rows = []
        for place, records in self.appended.items():
            first = tables.row_id(self.layout.ids[place], self.layout.tails[place])
            rows += [
                (row, self.now_ms, record.key, tables.pack(record.headers), record.value)
                for row, record in enumerate(records, first)
            ]
        # FAIL: a statement that fails ends the whole transaction anyway, and need not be able to take itself back.
        tables.insert(self.connection, "INSERT OR FAIL INTO records VALUES ", rows)
