"""What the log and the ledger promised while they ran, and what of it an image of the disk does not keep."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import apsw

from tests.chaos.power import Image
from tocsin.eventlog.embedded import tables
from tocsin.ledger.port import AttemptKey, Settlement, Submission
from tocsin.record import Partition, Received, Record

LOST, HALF, BROKEN = "lost", "half there", "broken"

Row = tuple[bytes | None, bytes, bytes]


@dataclass(frozen=True, slots=True)
class Breach:
    """A promise that was not kept: `kind` is one of those above."""

    kind: str
    detail: str


@dataclass(slots=True)
class Promises:
    """Lists that only grow, so that what had been promised at a moment is how long they were.

    `begun` are submits that were asked for, `accepted` those of them that were answered. `seen` is what a subscriber
    was given, `committed` the group's offsets, `claimed` claims that were asked to be durable, `closed` settlements.
    """

    begun: list[Submission] = field(default_factory=list)
    accepted: list[Submission] = field(default_factory=list)
    seen: list[Received] = field(default_factory=list)
    committed: list[tuple[str, Partition, int]] = field(default_factory=list)
    claimed: list[AttemptKey] = field(default_factory=list)
    closed: list[Settlement] = field(default_factory=list)

    def so_far(self) -> "Promises":
        """Return what has been promised up to now; what is begun goes on to grow."""
        return Promises(self.begun, self.accepted[:], self.seen[:], self.committed[:], self.claimed[:], self.closed[:])


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """A power cut: what was on the disk then, and what had been promised before."""

    image: Image = field(repr=False)
    promised: Promises = field(repr=False)


def breaches(cut: Cut, directory: Path) -> list[Breach]:
    """Return the promises that the image, restored in a directory, does not keep. Runs SQLite's recovery on it."""
    path = directory / "log.db"
    if not path.exists() and not cut.promised.accepted:
        return []
    try:
        connection = apsw.Connection(str(path))
        try:
            return list(_breaches(cut.promised, _Kept(connection)))
        finally:
            connection.close()
    except apsw.Error as error:
        return [Breach(BROKEN, str(error))]


class _Kept:
    """What is in the file."""

    def __init__(self, connection: apsw.Connection) -> None:
        self.integrity = connection.pragma("integrity_check")
        self._connection = connection
        names = {row[0] for row in connection.execute("SELECT name FROM sqlite_schema")}
        self.records: dict[bytes, Row] = {}
        self.places: dict[int, bytes] = {}
        self.partitions: dict[tuple[str, int], tuple[int, int]] = {}
        self.commits: dict[tuple[str, int], int] = {}
        self.claims: dict[str, tuple[bytes, bytes]] = {}
        self.attempts: dict[tuple[str, int, int], tuple[int, str | None]] = {}
        if "probe" in names:  # the last one to be made
            for row, key, headers, value in self._rows("SELECT id, key, headers, value FROM records"):
                self.records[value] = (key, headers, value)
                self.places[row] = value
            for identity, topic, number, start in self._rows("SELECT id, topic, number, start_offset FROM partitions"):
                self.partitions[topic, number] = (identity, start)
            for group, identity, offset in self._rows("SELECT * FROM commits"):
                self.commits[group, identity] = offset
        if "submits" in names:
            for key, fingerprint, answer in self._rows("SELECT idempotency_key, fingerprint, answer FROM submits"):
                self.claims[key] = (fingerprint, answer)
            for delivery, life, attempt, settled, state in self._rows(
                "SELECT delivery, life, attempt, settled, state FROM attempts"
            ):
                self.attempts[delivery, life, attempt] = (settled, state)

    def _rows(self, query: str) -> list[Any]:
        rows: list[Any] = self._connection.execute(query).fetchall()
        return rows

    def has(self, record: Record) -> bool:
        """Return whether the record is there, byte for byte."""
        return self.records.get(record.value) == (record.key, tables.pack(record.headers), record.value)

    def tail(self, partition: Partition) -> int:
        """Return the next offset that will be given, -1 if there is no such partition."""
        found = self.partitions.get((partition.topic, partition.number))
        if found is None:
            return -1
        identity, start = found
        rows = (row for row in self.places if row >> tables.OFFSET_BITS == identity)
        return max((tables.offset_of(row) + 1 for row in rows), default=start)


def _breaches(promised: Promises, kept: _Kept) -> Iterator[Breach]:
    if kept.integrity != "ok":
        yield Breach(BROKEN, f"integrity check: {kept.integrity}")
    yield from _of_submits(promised, kept)
    yield from _of_reading(promised, kept)
    for key in promised.claimed:
        if key not in kept.attempts:
            yield Breach(LOST, f"a durable claim: {key}")
    for settlement in promised.closed:
        yield from _of_settlement(settlement, kept)


def _of_submits(promised: Promises, kept: _Kept) -> Iterator[Breach]:
    for submission in list(promised.begun):
        assert submission.claim is not None
        there = {kept.has(record) for record in submission.records}
        there.add(kept.claims.get(submission.claim.key) == (submission.claim.fingerprint, submission.answer))
        if len(there) > 1:
            yield Breach(HALF, f"submit {submission.claim.key}")
    for submission in promised.accepted:
        assert submission.claim is not None
        if submission.claim.key not in kept.claims or not all(map(kept.has, submission.records)):
            yield Breach(LOST, f"submit {submission.claim.key}")


def _of_reading(promised: Promises, kept: _Kept) -> Iterator[Breach]:
    for group, partition, offset in promised.committed:
        found = kept.partitions.get((partition.topic, partition.number))
        if found is None or kept.commits.get((group, found[0]), -1) < offset:
            yield Breach(LOST, f"the commit of {offset} in {partition}")
    ends: Mapping[Partition, int] = {
        Partition(each.topic, each.partition): each.offset + 1 for each in sorted(promised.seen, key=_offset)
    }
    for partition, end in ends.items():
        if kept.tail(partition) < end:
            yield Breach(LOST, f"offset {end - 1} of {partition} was read, and would be given to another record")


def _of_settlement(settlement: Settlement, kept: _Kept) -> Iterator[Breach]:
    there = {kept.has(record) for record in settlement.records}
    if settlement.key is not None:
        there.add(kept.attempts.get(settlement.key, (0, None))[0] == 1)
    if settlement.life is not None:
        there.add((*settlement.life, 0) in kept.attempts)
    if len(there) > 1:
        yield Breach(HALF, f"settlement of {settlement.source}")
    if False in there:
        yield Breach(LOST, f"settlement of {settlement.source}")


def _offset(received: Received) -> int:
    return received.offset
