"""Receipts: what a provider tells of a message later. They refine `delivered`, and never replace it."""

from datetime import datetime
from typing import Any

from tocsin import ids
from tocsin.lifecycle import AuditEvent, Event


def receipt(
    event: Event,
    *,
    delivery_id: str,
    notification_id: str | None,
    tenant: str,
    life: int,
    provider_id: str,
    time: datetime,
    data: dict[str, Any],
) -> AuditEvent:
    """Return the event of a receipt (one of `tocsin.receipt.*`).

    `provider_id` is the provider's name for the message. What a provider tells twice of it has one id, so it counts
    once, in whatever order its callbacks come.
    """
    return AuditEvent(
        id=ids.derived(ids.EVENT, delivery_id, str(life), provider_id, event),
        type=event,
        time=time,
        tenant=tenant,
        notification_id=notification_id,
        delivery_id=delivery_id,
        life=life,
        data=data,
    )
