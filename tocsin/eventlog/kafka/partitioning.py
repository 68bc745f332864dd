"""Which partition a record goes to: by its key as everywhere, or the next one where it has none."""

from tocsin.eventlog.murmur2 import partition_for


class Partitioner:
    """aiokafka's own agrees about keys, and draws lots about records without one."""

    def __init__(self) -> None:
        self._turn = 0

    def partition(self, key: bytes | None, partitions: int) -> int:
        """Return the record's partition among `partitions`."""
        if key is not None:
            return partition_for(key, partitions)
        self._turn += 1
        return self._turn % partitions
