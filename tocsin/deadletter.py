"""A delivery that could not be delivered, as a record of `notifications.<channel>.dlq`; or a request that was refused,
or an event that a rule could not use.

Its value is byte for byte what was written at accept (or what could not be read at all), its key is the same, and its
headers say why it died and what was tried.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

import msgspec

from tocsin import hops, ids, topics
from tocsin.record import Headers, Received, Record, Source, header, replaced

# In place of a channel's name, where it is a request that died: no delivery came of it.
REQUESTS = "requests"
# Names the dead letter that a record of `notifications.requests` is a replay of.
REPLAY_OF = "tocsin-replay-of"
# Names the rule that could not use an event, in the letter and in its replay; of what is no event at all, every rule.
RULE = "tocsin-rule"
EVERY_RULE = "*"


class Reason(StrEnum):
    """Why a delivery is dead. The last two are of requests only."""

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
    TOO_LARGE = "too_large"
    KEY_REUSED = "key_reused"


# Those that mean that we could not read or handle the record, whatever the provider would have said.
UNREADABLE = frozenset({Reason.UNDECODABLE, Reason.UNKNOWN_SCHEMA, Reason.INVALID, Reason.BROKEN_HEADERS})


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """What the headers of a dead letter's record tell. `hop` is None where the hop headers were broken.

    `rule` is the one that could not use the event that it is, empty where it is none.
    """

    reason: str
    message: str
    origin: Source
    hop: hops.Hop | None
    died_at: datetime
    rule: str = ""


def of_delivery(received: Received, *, channel: str, hop: hops.Hop, reason: Reason) -> Record:
    """Return the dead letter of a delivery that was read: `hop` is what it had come to, the last failure included."""
    ended = msgspec.structs.replace(hops.onward(hop, source=received.source), reason=reason, not_before=None)
    return _record(received, channel, hops.write(received.headers, ended))


def of_unreadable(received: Received, *, channel: str, reason: Reason, detail: str) -> Record:
    """Return the dead letter of a record that could not be read. Its own headers stay, however broken."""
    updates: Mapping[str, bytes | None] = {
        hops.REASON: reason.encode(),
        hops.ERROR_MESSAGE: hops.text_value(detail),
        hops.ORIGIN: "/".join(map(str, received.source)).encode(),
    }
    return _record(received, channel, replaced(received.headers, updates))


def of_request(
    received: Received, *, reason: Reason, detail: str, rule: str | None = None, whole: bool = True
) -> Record:
    """Return the dead letter of a request or of an event for a `rule`, byte for byte but for headers with our names.

    Those would be taken for a hop's: whoever wrote them is a client. Without `whole`, it is too large to be kept, and
    the letter only tells where it lies.
    """
    told: Headers = (
        (hops.REASON, reason.encode()),
        (hops.ERROR_MESSAGE, hops.text_value(detail)),
        (hops.ORIGIN, "/".join(map(str, received.source)).encode()),
        *(((RULE, rule.encode()),) if rule else ()),
    )
    if not whole:
        return Record(topic=topics.REQUESTS_DLQ, key=None, value=b"", headers=told)
    headers = hops.without(received.headers) + told
    return Record(topic=topics.REQUESTS_DLQ, key=received.key, value=received.value, headers=headers)


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
        rule=_text(received.headers, RULE),
    )


def life_of(headers: Headers) -> tuple[str, int] | None:
    """Return whose life a record is part of, (delivery id, life), by its headers alone; None if they do not say.

    Where they do not, nobody's life may be taken to have ended with it.
    """
    delivery_id = _text(headers, "ce_id")
    life = hops.life(headers)
    if life is None or not delivery_id.startswith(ids.DELIVERY) or ids.made_at(delivery_id) is None:
        return None
    return delivery_id, life


def letter_id(life: tuple[str, int] | None, origin: Source, *, rule: str | None = None) -> str:
    """Return the id of a dead letter: of its life where that is known, else of the place where it was found.

    An event may leave a letter for each rule that could not use it.
    """
    if life is not None:
        return ids.derived(ids.DEAD_LETTER, life[0], str(life[1]))
    return ids.hashed(ids.DEAD_LETTER, *map(str, origin), *((rule,) if rule else ()))


def _record(received: Received, channel: str, headers: Headers) -> Record:
    return Record(topic=topics.dlq(channel), key=received.key, value=received.value, headers=headers)


def _text(headers: Headers, name: str) -> str:
    return (header(headers, name) or b"").decode(errors="replace")


def _origin(received: Received) -> Source:
    try:
        return hops.origin(_text(received.headers, hops.ORIGIN))
    except hops.BrokenHop:
        return received.source
