"""One notification → its deliveries, as records. Pure: the same notification id gives the same deliveries."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from producer.check import Checked
from tocsin import delivery as deliveries
from tocsin import envelope, hops, ids, lifecycle, topics
from tocsin.clock import rfc3339
from tocsin.delivery import Attachment, Delivery, Lane, Person, Semantics, TemplateRef
from tocsin.envelope import Envelope
from tocsin.lifecycle import Event
from tocsin.record import Record


@dataclass(frozen=True, slots=True, kw_only=True)
class Fanout:
    """A notification's deliveries, the records to write for them, and the answer to the client."""

    notification_id: str
    deliveries: tuple[Delivery, ...]
    records: tuple[Record, ...]
    answer: bytes


def fan_out(
    document: Mapping[str, Any],
    checked: Checked,
    *,
    notification_id: str,
    tenant: str,
    semantics: Semantics,
    now: datetime,
    test: bool = False,
) -> Fanout:
    """Return the deliveries of a checked document. Those of a `test` say so, and never reach a provider."""
    common = _common(document, checked, notification_id=notification_id, tenant=tenant, semantics=semantics, now=now)
    content = document.get("content", {})
    made = tuple(
        Delivery(
            id=ids.delivery_id(notification_id, channel, address),
            channel=channel,
            address=address,
            content=content.get(channel),
            test=test,
            **common,
        )
        for channel, addresses in checked.addresses.items()
        for address in addresses
    )
    key = ids.recipient_key(tenant, document["recipient"].get("id") or made[0].address)
    event = _accepted(document, checked, made, now)
    return Fanout(
        notification_id=notification_id,
        deliveries=made,
        records=(*(_record(delivery, key, now) for delivery in made), envelope.audit_record(event)),
        answer=_answer(notification_id, made, test=test),
    )


def _common(
    document: Mapping[str, Any],
    checked: Checked,
    *,
    notification_id: str,
    tenant: str,
    semantics: Semantics,
    now: datetime,
) -> dict[str, Any]:
    recipient, template = document["recipient"], checked.template
    return {
        "notification_id": notification_id,
        "tenant": tenant,
        "recipient": Person(id=recipient.get("id"), locale=recipient.get("locale")),
        "lane": Lane(document.get("lane", Lane.NORMAL)),
        "category": document.get("category", "default"),
        "semantics": semantics,
        "accepted_at": now,
        "expires_at": checked.expires_at,
        "template": TemplateRef(name=template.name, version=template.version) if template else None,
        "data": document.get("data", {}),
        "attachments": tuple(msgspec.convert(each, Attachment) for each in document.get("attachments", ())),
        "metadata": document.get("metadata", {}),
    }


def _record(delivery: Delivery, key: bytes, now: datetime) -> Record:
    attributes = Envelope(
        id=delivery.id, type=deliveries.CLOUD_EVENT_TYPE, time=now, schema=deliveries.schema_of(delivery)
    )
    hop = hops.first(now=now, expires_at=delivery.expires_at)
    return Record(
        topic=topics.delivery(delivery.channel, delivery.lane),
        key=key,
        value=deliveries.encode(delivery),
        headers=hops.write(envelope.write(attributes), hop),
    )


def _accepted(
    document: Mapping[str, Any], checked: Checked, made: tuple[Delivery, ...], now: datetime
) -> lifecycle.AuditEvent:
    first, template = made[0], checked.template
    return lifecycle.of_notification(
        Event.ACCEPTED,
        notification_id=first.notification_id,
        tenant=first.tenant,
        time=now,
        data={
            "recipient": {"id": first.recipient.id, "locale": first.recipient.locale},
            "channels": list(checked.addresses),
            "template": template.name if template else None,
            "template_version": template.version if template else None,
            "category": first.category,
            "lane": first.lane,
            "metadata": document.get("metadata", {}),
            "expires_at": rfc3339(checked.expires_at),
            "deliveries": [{"id": each.id, "channel": each.channel, "address": each.address} for each in made],
            **({"test": True} if first.test else {}),
        },
    )


def _answer(notification_id: str, made: tuple[Delivery, ...], *, test: bool) -> bytes:
    told = [{"id": each.id, "channel": each.channel, "state": lifecycle.State.ACCEPTED} for each in made]
    answer = {"id": notification_id, "deliveries": told}
    return msgspec.json.encode({**answer, "test": True} if test else answer)
