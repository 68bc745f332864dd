"""That somebody read a dead letter's payload: an audit event, written before the payload is shown."""

from datetime import datetime

from dlq.items import FALLBACK_TENANT, Item
from tocsin import envelope, ids, lifecycle
from tocsin.record import Record


def record(item: Item, *, actor: str, now: datetime, nonce: bytes) -> Record:
    """Return the event. `nonce` is random: each reading is an event of its own."""
    event = lifecycle.AuditEvent(
        id=ids.derived(ids.EVENT, item.id, lifecycle.Event.OPERATOR_DEAD_LETTER_READ, nonce.hex()),
        type=lifecycle.Event.OPERATOR_DEAD_LETTER_READ,
        time=now,
        tenant=item.tenant or FALLBACK_TENANT,
        notification_id=item.notification_id if item.readable else None,
        delivery_id=item.delivery_id if item.readable else None,
        life=item.life if item.readable else None,
        data={"channel": item.channel, "dead_letter_id": item.id, "actor": actor},
    )
    return envelope.audit_record(event)
