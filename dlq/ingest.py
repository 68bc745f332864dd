"""From the dead-letter topics into SQL: whatever lies there becomes a row, and telling it twice changes nothing.

Nothing here refuses a record or publishes one: a dead letter has nowhere else to go. What cannot be read of it is
left null, and its bytes are kept as they came.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from dlq import items
from tocsin import deadletter, delivery, hops, ids
from tocsin.clock import Clock, to_ms
from tocsin.deadletter import DeadLetter
from tocsin.delivery import Delivery
from tocsin.record import Received
from tocsin.store.texts import storable

_MAX_INTEGER = 2**63 - 1


class DeadLetterSink:
    """Writes dead letters. `channels` are the channels by the name of their dead-letter topic."""

    name = "dlq.ingest"

    def __init__(self, *, channels: Mapping[str, str], clock: Clock) -> None:
        self._channels = channels
        self._clock = clock

    def wants(self, received: Received) -> bool:  # noqa: ARG002 - every dead letter is kept
        """See `Sink`."""
        return True

    async def write(self, connection: AsyncConnection, batch: Sequence[Received]) -> None:
        """Insert the letters that are not there yet."""
        now = self._clock.now()
        await items.add(connection, [row_of(each, channel=self._channels[each.topic], now=now) for each in batch])


def row_of(received: Received, *, channel: str, now: datetime) -> dict[str, Any]:
    """Return a record of a dead-letter topic as a row of `dead_letters`, an open one."""
    letter = _told(received)
    # What is in a request is the client's, whatever it looks like.
    unread = channel == deadletter.REQUESTS or letter.reason in deadletter.UNREADABLE
    body = None if unread else _body(received.value)
    life = deadletter.life_of(received.headers)
    # Of other letters the headers are what came, and it may name anything.
    rule = letter.rule if channel == deadletter.REQUESTS else None
    row = {
        "id": deadletter.letter_id(life, letter.origin, rule=rule),
        "delivery_id": life[0] if life else None,
        "life": life[1] if life else None,
        "channel": channel,
        "reason": letter.reason,
        "message": letter.message,
        "origin_topic": letter.origin.topic,
        "origin_partition": letter.origin.partition,
        "origin_offset": letter.origin.offset,
        "died_at": to_ms(letter.died_at),
        "ingested_at": to_ms(now),
        "key": received.key,
        "value": received.value,
        "headers": items.pack(received.headers),
        "state": items.State.OPEN,
        "version": 0,
        **_from_body(body),
        **_from_hop(letter.hop),
    }
    return {name: storable(value) if isinstance(value, str) else value for name, value in row.items()}


def _from_body(body: Delivery | None) -> dict[str, Any]:
    if body is None:
        unknown = dict.fromkeys(("tenant", "notification_id", "lane", "category", "template"))
        return {**unknown, "visible_to": items.FALLBACK_TENANT}
    return {
        "tenant": body.tenant,
        "visible_to": body.tenant,
        "notification_id": body.notification_id,
        "lane": body.lane,
        "category": body.category,
        "template": body.template.name if body.template else None,
    }


def _from_hop(hop: hops.Hop | None) -> dict[str, Any]:
    failure = hop.failure if hop else None
    return {
        "attempts": hop.attempt if hop else None,
        "history": msgspec.to_builtins(hop.history) if hop else [],
        "code": failure.code if failure else "",
        "provider": failure.provider if failure else "",
    }


def _told(received: Received) -> DeadLetter:
    """Return what the headers tell, with an origin that the store can hold."""
    letter = deadletter.read(received)
    if max(letter.origin.partition, letter.origin.offset) > _MAX_INTEGER:
        return replace(letter, origin=received.source)
    return letter


def _body(value: bytes) -> Delivery | None:
    """Return the delivery in a body, None where there is none that could be sent again."""
    try:
        body = delivery.decode(value)
    except (ValueError, OverflowError, RecursionError):
        # Not JSON, not UTF-8, not a delivery, or nested so deeply that it was made to do harm.
        return None
    whole = body.accepted_at.tzinfo is not None and body.expires_at.tzinfo is not None
    return body if whole and _is_delivery(body.id) else None


def _is_delivery(text: str) -> bool:
    return text.startswith(ids.DELIVERY) and ids.made_at(text) is not None
