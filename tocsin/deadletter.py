"""A delivery that could not be delivered, as a record of `notifications.<channel>.dlq`.

Its value is byte for byte what was written at accept (or what could not be read at all), its key is the same, and its
headers say why it died and what was tried.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from tocsin import hops, ids, topics
from tocsin.record import Headers, Received, Record, Source, header, replaced


class Reason(StrEnum):
    """Why a delivery is dead."""

    REJECTED = "rejected"
    EXHAUSTED = "exhausted"
    OUTCOME_UNKNOWN = "outcome_unknown"
    RETRY_AFTER_TOO_LONG = "retry_after_too_long"
    UNDECODABLE = "undecodable"
    UNKNOWN_SCHEMA = "unknown_schema"
    INVALID = "invalid"
    BROKEN_HEADERS = "broken_headers"
    HANDLER_ERROR = "handler_error"
    CRASH_LOOP = "crash_loop"


# Those that mean that we could not read or handle the record, whatever the provider would have said.
UNREADABLE = frozenset({Reason.UNDECODABLE, Reason.UNKNOWN_SCHEMA, Reason.INVALID, Reason.BROKEN_HEADERS})


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """What the headers of a dead letter's record tell. `hop` is None where the hop headers were broken."""

    reason: str
    message: str
    origin: Source
    hop: hops.Hop | None
    died_at: datetime


def of_delivery(received: Received, *, channel: str, hop: hops.Hop, reason: Reason) -> Record:
    """Return the dead letter of a delivery that was read: `hop` is what it had come to, the last failure included."""
    ended = replace(hops.onward(hop, source=received.source), reason=reason, not_before=None)
    return _record(received, channel, hops.write(received.headers, ended))


def of_unreadable(received: Received, *, channel: str, reason: Reason, detail: str) -> Record:
    """Return the dead letter of a record that could not be read. Its own headers stay, however broken."""
    updates: Mapping[str, bytes | None] = {
        hops.REASON: reason.encode(),
        hops.ERROR_MESSAGE: detail.encode(errors="replace")[:512],
        hops.ORIGIN: "/".join(map(str, received.source)).encode(),
    }
    return _record(received, channel, replaced(received.headers, updates))


def read(received: Received) -> DeadLetter:
    """Return what a dead letter's record tells of itself. Never raises: whatever is broken is left out."""
    try:
        hop = hops.read(received.headers)
    except hops.BrokenHop:
        hop = None
    return DeadLetter(
        reason=_text(received.headers, hops.REASON) or Reason.UNDECODABLE,
        message=_text(received.headers, hops.ERROR_MESSAGE),
        origin=_origin(received),
        hop=hop,
        died_at=received.timestamp,
    )


def letter_id(*, delivery_id: str | None, life: int, origin: Source) -> str:
    """Return the id of a dead letter: of its life where that is known, else of the place where it was found."""
    if delivery_id is not None and ids.made_at(delivery_id) is not None:
        return ids.derived(ids.DEAD_LETTER, delivery_id, str(life))
    return ids.hashed(ids.DEAD_LETTER, *map(str, origin))


def _record(received: Received, channel: str, headers: Headers) -> Record:
    return Record(topic=topics.dlq(channel), key=received.key, value=received.value, headers=headers)


def _text(headers: Headers, name: str) -> str:
    return (header(headers, name) or b"").decode(errors="replace")


def _origin(received: Received) -> Source:
    topic, _, rest = _text(received.headers, hops.ORIGIN).partition("/")
    partition, _, offset = rest.partition("/")
    if topic and partition.isdecimal() and offset.isdecimal():
        return Source(topic, int(partition), int(offset))
    return received.source
