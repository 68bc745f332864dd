"""Where we stand in each partition that is ours. Ours to know: every rebalance wipes aiokafka's positions and buffers.

A place lives as long as one assignment; a partition that goes and comes back has another one. What was asked for before
a seek, or for another place, is void when it arrives.
"""

from collections import deque
from collections.abc import Collection, Iterator, Mapping, Sequence

from tocsin.record import Partition, Received


class Place:
    """One partition, since it was assigned. `next` is the offset to take next, once it is `placed`."""

    __slots__ = ("committed", "gap", "next", "placed", "since", "stash", "wanted")

    def __init__(self) -> None:
        self.placed = False
        self.next = 0
        self.wanted: int | None = None
        self.committed: int | None = None
        self.since = 0
        self.stash: deque[Received] = deque()
        self.gap: tuple[int, int] | None = None

    def seek(self, offset: int) -> None:
        """Want another offset: to be placed anew."""
        self.wanted = offset
        self.placed = False
        self.gap = None
        self.stash.clear()

    def put(self, offset: int, *, since: int) -> None:
        """Stand at an offset. Answers to polls before number `since` are void."""
        self.next = offset
        self.since = since
        self.placed = True

    def accept(self, records: Sequence[Received], *, poll: int) -> bool:
        """Take what a poll brought; return False if it is void, and then not a record of it was taken."""
        if not self.placed or poll < self.since:
            return False
        for record in records:
            if record.offset < self.next:
                continue
            if record.offset > self.next and self.gap is None:
                self.gap = (self.next, record.offset)
            self.stash.append(record)
            self.next = record.offset + 1
        return True


class Assignment:
    """The partitions that are ours, each with its place. `epoch` counts how often that changed."""

    def __init__(self) -> None:
        self._places: dict[Partition, Place] = {}
        self.epoch = 0
        self._turn = 0

    @property
    def partitions(self) -> Collection[Partition]:
        """What is ours."""
        return self._places.keys()

    def place(self, partition: Partition) -> Place | None:
        """Return the place of a partition, None if it is not ours."""
        return self._places.get(partition)

    def items(self) -> Iterator[tuple[Partition, Place]]:
        """Return partitions and places."""
        yield from list(self._places.items())

    def give(self, partitions: Collection[Partition]) -> None:
        """Take over partitions, each with a new place."""
        self.epoch += 1
        self._places = {partition: Place() for partition in partitions}

    def clear(self) -> None:
        """Own nothing."""
        self.epoch += 1
        self._places = {}

    def unplaced(self) -> Mapping[Partition, Place]:
        """Return the partitions whose offsets have to be looked up before anything of them is taken."""
        return {partition: place for partition, place in self._places.items() if not place.placed}

    def gaps(self) -> Mapping[Partition, Place]:
        """Return the partitions of which offsets were skipped that nobody has looked into yet."""
        return {partition: place for partition, place in self._places.items() if place.gap is not None}

    def take(self, partitions: Collection[Partition], limit: int) -> list[Received]:
        """Return up to `limit` records that have arrived, beginning with another partition each time."""
        full = [
            place.stash
            for partition, place in self._places.items()
            if place.stash and place.placed and place.gap is None and partition in partitions
        ]
        if not full:
            return []
        self._turn = (self._turn + 1) % len(full)
        taken: list[Received] = []
        for stash in full[self._turn :] + full[: self._turn]:
            while stash and len(taken) < limit:
                taken.append(stash.popleft())
        return taken
