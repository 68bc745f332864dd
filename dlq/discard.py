"""What a discard writes: one audit event. Its id follows from the letter, so writing it twice is writing it once."""

from dlq.items import FALLBACK_TENANT, Item
from tocsin import envelope, ids, lifecycle
from tocsin.record import Record


def record(item: Item) -> Record:
    """Return the event of a discarded letter. Raises ValueError if the letter is not discarded."""
    if item.discarded_at is None:
        raise ValueError(f"dead letter {item.id} is not discarded")
    known = item.readable
    kind = lifecycle.Event.REQUEST_DISCARDED if item.of_request else lifecycle.Event.DISCARDED
    event = lifecycle.AuditEvent(
        id=ids.derived(ids.EVENT, item.id, kind),
        type=kind,
        time=item.discarded_at,
        tenant=item.tenant or FALLBACK_TENANT,
        notification_id=item.notification_id if known else None,
        delivery_id=item.delivery_id if known else None,
        life=item.life if known else None,
        attempt=item.attempts if known else None,
        data={"channel": item.channel, "dead_letter_id": item.id, "actor": item.discarded_by},
    )
    return envelope.audit_record(event)
