"""Receipts: what a provider tells of a message later. They refine `delivered`, and never replace it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tocsin import ids
from tocsin.lifecycle import AuditEvent, Event

# The name under which parts of a process tell each other of verdicts, once their receipts are durable.
JUDGED = "receipts.judged"
# The receipts that may say something of a provider.
TELLING = (Event.RECEIPT_CONFIRMED, Event.RECEIPT_FAILED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a receipt says of the provider: that the message `arrived`, or that it failed by the provider's fault."""

    channel: str
    provider: str
    arrived: bool


def verdict(event: AuditEvent) -> Verdict | None:
    """Return what an event says of a provider. None: nothing, such as a failure for the sake of the address.

    A failure is the provider's fault if its `scope` is `route`, as with `outcome.Rejected`.
    """
    data = event.data
    failed = event.type is Event.RECEIPT_FAILED and data.get("scope") == "route"
    if not failed and event.type is not Event.RECEIPT_CONFIRMED:
        return None
    return Verdict(channel=str(data.get("channel")), provider=str(data.get("provider")), arrived=not failed)


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
