"""What travels through an event log: raw bytes under a key, with text headers, at an offset of a partition."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from sys import intern
from typing import NamedTuple

import msgspec

# Measured, of records read from disk: what the objects take beside the bytes of the value.
_RECORD_BYTES = 256
_HEADER_BYTES = 112

Headers = tuple[tuple[str, bytes], ...]


class Partition(NamedTuple):
    """One partition of a topic. Order is kept within it, and only there."""

    topic: str
    number: int


class Source(NamedTuple):
    """Where a record lies: one place in the log, which no other record ever has."""

    topic: str
    partition: int
    offset: int


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """A record to write. Its partition follows from the key (murmur2, as Kafka's default partitioner)."""

    topic: str
    key: bytes | None
    value: bytes
    headers: Headers = ()


class Received(msgspec.Struct, frozen=True, kw_only=True):
    """A record read from the log. `timestamp` is when the log took it."""

    place: Partition
    offset: int
    key: bytes | None
    value: bytes
    headers: Headers
    timestamp: datetime

    @property
    def topic(self) -> str:
        """The topic that the record is in."""
        return self.place.topic

    @property
    def partition(self) -> int:
        """The partition's number."""
        return self.place.number

    @property
    def source(self) -> Source:
        """The record's place in the log."""
        return Source(*self.place, self.offset)

    @property
    def size(self) -> int:
        """Bytes that the record weighs in memory budgets, about: its value, and the objects of it and its headers."""
        return len(self.value) + _RECORD_BYTES + _HEADER_BYTES * len(self.headers)


def shared(headers: Iterable[tuple[str, bytes]]) -> Headers:
    """Return headers with each name kept once in memory, however many records have it: there are few names."""
    return tuple([(intern(name), value) for name, value in headers])


def header(headers: Headers, name: str) -> bytes | None:
    """Return the last value of a header, or None."""
    for found, value in reversed(headers):
        if found == name:
            return value
    return None


def replaced(headers: Headers, updates: Mapping[str, bytes | None], *, drop: Iterable[str] = ()) -> Headers:
    """Return the headers with each of `updates` set once (None removes it): replaced, never appended."""
    gone = {*updates, *drop}
    kept = tuple(pair for pair in headers if pair[0] not in gone)
    return kept + tuple((name, value) for name, value in updates.items() if value is not None)
