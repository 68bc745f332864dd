"""The shop's events as CloudEvents: in binary mode on the log, with data that fits their JSON Schema.

The schemas in `examples/shop/events` are the contract with whoever reads the topics. A reader takes members that it
does not know; a change that such a reader could not bear gets a new version.
"""

from collections.abc import Mapping
from datetime import datetime
from functools import cache
from importlib.resources import files
from typing import Any

import jsonschema_rs
import msgspec

from tocsin import envelope
from tocsin.record import Received, Record, header

TYPES = (
    "CustomerCreated",
    "CustomerUpdated",
    "CustomerDeleted",
    "OrderPlaced",
    "OrderCancelled",
    "PaymentConfirmed",
    "PaymentNotAuthorized",
    "PaymentRefunded",
    "InventoryUpdated",
    "InventoryInsufficient",
    "InventoryReleased",
    "ShippingConfirmed",
    "ShippingFailed",
)
_SCHEMA = "urn:tocsin-shop:schema:{}:1"
_SUBJECT = "ce_subject"


class UnreadableEvent(ValueError):
    """A record is not an event of the shop. The message says why, and quotes nothing of it."""


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """What happened, once. `subject` is the id of the order or the customer; `source` and `id` together are unique."""

    id: str
    type: str
    source: str
    subject: str
    time: datetime
    data: dict[str, Any]

    def __repr__(self) -> str:
        # The data has addresses.
        return f"<{self.type} {self.id} of {self.subject}>"


def source(service: str) -> str:
    """Return the source of a service's events."""
    return f"/shop/{service}"


def fits(kind: str, data: Mapping[str, Any]) -> bool:
    """Return whether the data is what the schema of the event's type asks for."""
    return kind in TYPES and _validator(kind).is_valid(data)


def record(event: Event, *, topic: str) -> Record:
    """Return the event as a record. Its key is the subject: the events of one order keep their order."""
    attributes = envelope.Envelope(
        id=event.id, type=event.type, source=event.source, time=event.time, schema=_SCHEMA.format(event.type)
    )
    subject = event.subject.encode()
    return Record(
        topic=topic,
        key=subject,
        value=msgspec.json.encode(event.data),
        headers=(*envelope.write(attributes), (_SUBJECT, subject)),
    )


def type_of(received: Received) -> str:
    """Return the type that a record claims to be, empty if none."""
    return (header(received.headers, "ce_type") or b"").decode(errors="replace")


def read(received: Received) -> Event:
    """Return the event in a record. Raises UnreadableEvent."""
    try:
        found = envelope.read(received.headers)
        subject = (header(received.headers, _SUBJECT) or b"").decode()
        data = msgspec.json.decode(received.value)
    except (ValueError, RecursionError) as error:
        raise UnreadableEvent(f"it is no CloudEvent of JSON: {type(error).__name__}") from None
    if found.schema != _SCHEMA.format(found.type):
        raise UnreadableEvent("its schema is none that is known here")
    if not subject or not fits(found.type, data):
        raise UnreadableEvent("its data does not fit the schema")
    return Event(id=found.id, type=found.type, source=found.source, subject=subject, time=found.time, data=data)


@cache
def _validator(kind: str) -> jsonschema_rs.Draft202012Validator:
    document = (files("examples.shop") / "events" / f"{kind}.json").read_text()
    return jsonschema_rs.Draft202012Validator(msgspec.json.decode(document))
