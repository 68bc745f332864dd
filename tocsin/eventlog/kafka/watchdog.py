"""Tells which partitions were asked for records for a long time and brought none. Pure.

A consumer can stop fetching for good and say nothing. Silence alone proves nothing, so the owner then looks whether
there was something to fetch, and pardons those that are only empty.
"""

from collections.abc import Collection

from tocsin.record import Partition


class Watchdog:
    """Times are seconds of one monotonic clock."""

    def __init__(self, *, patience: float) -> None:
        self._patience = patience
        self._since: dict[Partition, float] = {}

    def asked(self, partitions: Collection[Partition], now: float) -> None:
        """Note who is asked now. Who is left out is not expected to bring anything, and starts anew later."""
        self._since = {partition: self._since.get(partition, now) for partition in partitions}

    def brought(self, partition: Partition, now: float) -> None:
        """Note that a partition brought something."""
        if partition in self._since:
            self._since[partition] = now

    def silent(self, now: float) -> list[Partition]:
        """Return who was asked all the time and has brought nothing for too long."""
        return [partition for partition, since in self._since.items() if now - since >= self._patience]

    def pardon(self, partitions: Collection[Partition], now: float) -> None:
        """Start anew with partitions that had nothing to bring."""
        self._since.update(dict.fromkeys(partitions, now))
