"""What the page shows: an event of the shop, or what became of a notification. Pure.

Notifications are known from the gateway's public topic `notifications.audit`; its schema is `schemas/audit-event.json`.
The rules put the id of the order or of the customer into a notification's metadata, and by that it is known here.
"""

from datetime import datetime
from typing import Annotated, Any

import msgspec

from examples.shop.kit import events
from examples.shop.kit.events import UnreadableEvent
from tocsin.clock import rfc3339, to_ms
from tocsin.record import Received

AUDIT = "notifications.audit"
ACCEPTED = "tocsin.notification.accepted"
ATTEMPTED = "tocsin.delivery.attempted"
DELIVERED = "tocsin.delivery.delivered"
_OF_DELIVERIES = ("tocsin.delivery.", "tocsin.receipt.")
_ABOUT = ("order_id", "customer_id")
# What a browser gets of an audit event's data; addresses are not among it.
_SHOWN = ("channel", "provider", "provider_id", "code", "outcome", "message", "not_before", "reason", "template")


class Happening(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that happened. A notification's has the ids of the notification and, mostly, of the delivery."""

    key: str
    type: str
    at: datetime
    body: bytes
    notification_id: str | None = None
    delivery_id: str | None = None

    @property
    def at_ms(self) -> int:
        """When, as it is kept in a column."""
        return to_ms(self.at)


class _Audited(msgspec.Struct, frozen=True, kw_only=True):
    """An event of `notifications.audit`, as far as it matters here."""

    id: str
    type: str
    time: Annotated[datetime, msgspec.Meta(tz=True)]
    notification_id: str | None = None
    delivery_id: str | None = None
    life: int | None = None
    data: dict[str, Any] = {}


class _Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """A delivery of a notification. Its address is not for this page."""

    id: str
    channel: str


class _Accepted(msgspec.Struct, frozen=True, kw_only=True):
    """The data of the event of a notification that was accepted, as far as it matters here."""

    metadata: dict[str, str] = {}
    deliveries: tuple[_Delivery, ...] = ()


_audited = msgspec.json.Decoder(_Audited)


def read(received: Received) -> Happening | None:
    """Return what a record tells of, None if that is not for this page. Raises UnreadableEvent."""
    found: Happening | None = None
    if received.topic == AUDIT:
        found = _of_notification(received)
    elif events.type_of(received) in events.TYPES:
        found = _of_shop(events.read(received))
    if found is not None and "\0" in f"{found.key}{found.notification_id}{found.delivery_id}":
        raise UnreadableEvent("it has a name with a NUL, which no database keeps")
    return found


def _of_shop(event: events.Event) -> Happening:
    shown = {
        "kind": "event",
        "id": event.id,
        "type": event.type,
        "source": event.source,
        "subject": event.subject,
        "time": rfc3339(event.time),
        "data": event.data,
    }
    return Happening(key=f"{event.source} {event.id}", type=event.type, at=event.time, body=msgspec.json.encode(shown))


def _of_notification(received: Received) -> Happening | None:
    try:
        told = _audited.decode(received.value)
        about = _about(msgspec.convert(told.data, _Accepted)) if told.type == ACCEPTED else {}
    except (ValueError, RecursionError) as error:
        raise UnreadableEvent(f"it is no event of the audit: {type(error).__name__}") from None
    if told.notification_id is None or not (about or told.type.startswith(_OF_DELIVERIES)):
        return None
    shown = {
        "kind": "notification",
        "id": told.id,
        "type": told.type,
        "time": rfc3339(told.time),
        "notification_id": told.notification_id,
        "delivery_id": told.delivery_id,
        "life": told.life,
        **{name: told.data[name] for name in _SHOWN if name in told.data},
        **about,
    }
    return Happening(
        key=f"{AUDIT} {told.id}",
        type=told.type,
        at=told.time,
        body=msgspec.json.encode(shown),
        notification_id=told.notification_id,
        delivery_id=told.delivery_id,
    )


def _about(accepted: _Accepted) -> dict[str, Any]:
    """Return whose notification it is, and its deliveries; empty if it is not the shop's."""
    found = {name: accepted.metadata[name] for name in _ABOUT if name in accepted.metadata}
    return {**found, "deliveries": msgspec.to_builtins(accepted.deliveries)} if found else {}
