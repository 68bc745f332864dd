"""What a replay writes: the delivery as it was accepted, at the start of a new life, and the event that says so.

Pure: the same letter and the same moment give the same records, under the same ids.
"""

from datetime import datetime, timedelta

from dlq.items import Item, Payload
from tocsin import delivery, envelope, hops, lifecycle, topics
from tocsin.clock import rfc3339
from tocsin.record import Record


def next_life(item: Item) -> int:
    """Return the number of the life that a replay of a replayable letter opens: a request had none, and begins one."""
    if item.of_request:
        return 0
    if item.life is None:
        raise ValueError(f"dead letter {item.id} does not say which life it ended")
    return item.life + 1


def records(item: Item, payload: Payload, *, now: datetime) -> tuple[Record, ...]:
    """Return the delivery's record and the audit event for a letter whose replay has begun.

    The new life lasts from `now` as long as the delivery was meant to live when it was accepted. Key and value are
    the original bytes. Raises ValueError if the letter is not one whose replay has begun.
    """
    if item.replay_life is None or item.replayed_at is None:
        raise ValueError(f"dead letter {item.id} has no next life")
    body = delivery.decode(payload.value)
    expires_at = now + _span(body)
    hop = hops.first(now=now, expires_at=expires_at, life=item.replay_life)
    # The new life knows nothing of the old one's troubles: of the hop headers, none stays.
    again = Record(
        topic=topics.delivery(item.channel, body.lane),
        key=payload.key,
        value=payload.value,
        headers=hops.write(hops.without(payload.headers), hop),
    )
    event = lifecycle.of_delivery(
        lifecycle.Event.REPLAYED,
        delivery_id=body.id,
        notification_id=body.notification_id,
        tenant=body.tenant,
        life=item.replay_life,
        attempt=0,
        time=item.replayed_at,
        data={
            "channel": item.channel,
            "dead_letter_id": item.id,
            "actor": item.replayed_by,
            "expires_at": rfc3339(expires_at),
        },
    )
    return again, envelope.audit_record(event)


def _span(body: delivery.Delivery) -> timedelta:
    return body.expires_at - body.accepted_at
