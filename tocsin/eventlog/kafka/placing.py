"""Finds where to begin in what was assigned or sought, and notices what was gone before it was read."""

import asyncio

from tocsin.eventlog.kafka import losses
from tocsin.eventlog.kafka.assignment import Assignment
from tocsin.eventlog.kafka.condition import Condition
from tocsin.eventlog.kafka.lookup import Lookup
from tocsin.eventlog.kafka.member import Member
from tocsin.observe.metrics import Metrics
from tocsin.record import Partition


class Placer:
    """Belongs to one subscription. Its methods raise LogUnavailable where the cluster does not answer."""

    def __init__(
        self, assignment: Assignment, lookup: Lookup, *, group: str, condition: Condition, metrics: Metrics
    ) -> None:
        self._assignment = assignment
        self._lookup = lookup
        self._group = group
        self._condition = condition
        self._metrics = metrics

    async def place(self, member: Member) -> None:
        """Look up where to begin in every partition that is not placed, and have the member read on from there."""
        new = self._assignment.unplaced()
        if not new:
            return
        committed, beginnings, ends = await asyncio.gather(
            self._lookup.committed(self._group, new.keys()),
            self._lookup.beginnings(new.keys()),
            self._lookup.ends(new.keys()),
        )
        for partition, place in new.items():
            if self._assignment.place(partition) is not place or place.placed:
                continue  # a rebalance came in between, or somebody was faster
            beginning, end, commit = beginnings[partition], ends[partition], committed.get(partition)
            found = losses.start(committed=commit, wanted=place.wanted, beginning=beginning, end=end)
            # A commit beyond the end is of another log: those of this one must not be held against it.
            place.committed = commit if commit is not None and commit <= end else None
            place.put(found.offset, since=member.following)
            member.seek(partition, found.offset)
            self._lost(partition, found.lost)

    async def look_into_gaps(self) -> None:
        """Find out whether offsets that were skipped are missing, and let go what came after them."""
        gaps = self._assignment.gaps()
        if not gaps:
            return
        beginnings = await self._lookup.beginnings(gaps.keys())
        for partition, place in gaps.items():
            if place.gap is not None:
                self._lost(partition, losses.skipped(place.gap, beginning=beginnings[partition]))
            place.gap = None

    def _lost(self, partition: Partition, what: str) -> None:
        if not what:
            return
        self._metrics.log_lost(self._group).inc()
        self._condition.unready(
            f"lost/{self._group}/{partition.topic}/{partition.number}",
            f"records of {partition.topic}/{partition.number} were lost to group {self._group}: {what}",
        )
