"""What a provider tells later of a text, or of a number, as audit events. Pure.

Only what is final makes a receipt; the same told twice is the same event, and the order in which it comes does not
matter. A receipt may come before the answer to the call that it is about: it carries all that it needs.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from channels.sms.codes import Table, redacted
from channels.sms.reference import Reference
from tocsin import ids, receipts
from tocsin.delivery import TENANT
from tocsin.lifecycle import AuditEvent, Event

CHANNEL = "sms"

Ending = Literal["confirmed", "failed", "read"]
_EVENTS: Mapping[Ending, Event] = {
    "confirmed": Event.RECEIPT_CONFIRMED,
    "failed": Event.RECEIPT_FAILED,
    "read": Event.RECEIPT_READ,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What a provider told of a text that it took: its own id of it, the number, how it ended, its code and words."""

    provider: str
    provider_id: str
    number: str | None = field(repr=False)
    ending: Ending
    code: str
    text: str = field(default="", repr=False)


def of_text(told: Told, reference: Reference, table: Table, *, now: datetime) -> AuditEvent:
    """Return the event of what was told of a text. The number is in it where it is not to be used again."""
    event, data = _EVENTS[told.ending], _data(told.provider, told.provider_id, code=told.code, text=told.text)
    row = table.receipts.get(told.code) if told.ending == "failed" else None
    if row is not None and row.scope is not None:
        data["scope"] = row.scope
    if row is not None and row.suppress is not None and told.number is not None:
        data["address"] = told.number
        event = Event.RECEIPT_OPTED_OUT if row.suppress == "opt_out" else event
    return receipts.receipt(
        event,
        delivery_id=reference.delivery_id,
        notification_id=reference.notification_id,
        tenant=reference.tenant,
        life=reference.life,
        provider_id=told.provider_id,
        time=now,
        data=data,
    )


def opted_out(provider: str, provider_id: str, number: str, *, now: datetime) -> AuditEvent:
    """Return the event of a STOP. It belongs to a number, not to a delivery."""
    return AuditEvent(
        id=ids.hashed(ids.EVENT, provider, provider_id, Event.RECEIPT_OPTED_OUT),
        type=Event.RECEIPT_OPTED_OUT,
        time=now,
        tenant=TENANT,
        data={**_data(provider, provider_id, code="STOP", text=""), "address": number},
    )


def opted_in(provider: str, provider_id: str, number: str, *, now: datetime) -> AuditEvent:
    """Return the event of a START, which takes back what a STOP did."""
    return AuditEvent(
        id=ids.hashed(ids.EVENT, provider, provider_id, Event.SUPPRESSION_LIFTED),
        type=Event.SUPPRESSION_LIFTED,
        time=now,
        tenant=TENANT,
        data={"channel": CHANNEL, "address": number, "source": provider},
    )


def _data(provider: str, provider_id: str, *, code: str, text: str) -> dict[str, str]:
    return {
        "channel": CHANNEL,
        "provider": provider,
        "provider_id": provider_id,
        "code": code,
        "message": redacted(text),
    }
