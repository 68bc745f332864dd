"""How far a partition is done: the committed offset is the end of the done prefix, never the highest offset seen."""

from collections import deque


class Tracker:
    """Bookkeeping of one partition for as long as it is assigned.

    `received` is called in offset order (gaps are allowed), `done` in any order. A done offset above a hole costs an
    integer, its record is gone. A new assignment starts a new tracker, so what the old one still hears of is harmless.
    """

    def __init__(self, *, max_records: int, max_bytes: int) -> None:
        self._max_records = max_records
        self._max_bytes = max_bytes
        self._order: deque[int] = deque()
        self._sizes: dict[int, int] = {}
        self._end: int | None = None
        self._committed: int | None = None
        self.bytes = 0

    @property
    def unfinished(self) -> int:
        """How many received records are not done."""
        return len(self._sizes)

    @property
    def has_room(self) -> bool:
        """Whether more may be fetched. The bounds are soft by one fetch."""
        return len(self._sizes) < self._max_records and self.bytes < self._max_bytes

    def received(self, offset: int, size: int) -> None:
        """Take note of a record that was fetched."""
        self._order.append(offset)
        self._sizes[offset] = size
        self.bytes += size
        self._end = offset + 1

    def done(self, offset: int) -> None:
        """Take note that a record needs no more work: what became of it is durable. Saying it twice is harmless."""
        self.bytes -= self._sizes.pop(offset, 0)

    def to_commit(self) -> int | None:
        """Return the offset to commit, the next to read, or None if it has not moved since `committed`."""
        while self._order and self._order[0] not in self._sizes:
            self._order.popleft()
        following = self._order[0] if self._order else self._end
        return None if following == self._committed else following

    def committed(self, offset: int) -> None:
        """Take note of a commit that went through."""
        self._committed = offset
