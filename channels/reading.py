"""A record of the log → the delivery in it and where it stands, or why it cannot be read."""

from dataclasses import dataclass

import msgspec

from tocsin import delivery as deliveries
from tocsin import envelope, hops, ids
from tocsin.deadletter import Reason
from tocsin.delivery import Delivery
from tocsin.hops import Hop
from tocsin.record import Received
from tocsin.validation import Schema


@dataclass(frozen=True, slots=True, kw_only=True)
class Readable:
    """A delivery, and its hop."""

    delivery: Delivery
    hop: Hop


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreadable:
    """What is wrong, in words without contents. `delivery_id` and `life` say whose life it ends, as far as known."""

    reason: Reason
    detail: str
    delivery_id: str | None
    life: int


class Reader:
    """Reads delivery records of every version that there is."""

    def __init__(self, schema: Schema) -> None:
        self._schema = schema

    def read(self, received: Received) -> Readable | Unreadable:
        """Read one record. Never raises."""
        delivery_id, life = None, 0
        try:
            hop = hops.read(received.headers)
            life = hop.life
        except hops.BrokenHop as error:
            return self._broken(received, str(error))
        try:
            attributes = envelope.read(received.headers)
        except envelope.BrokenEnvelope as error:
            return _unreadable(Reason.BROKEN_HEADERS, str(error), _delivery_id(received), life)
        delivery_id = attributes.id if _is_delivery(attributes.id) else None
        if attributes.schema != deliveries.SCHEMA:
            return _unreadable(Reason.UNKNOWN_SCHEMA, "the schema of the body is not known here", delivery_id, life)
        return self._body(received, hop, delivery_id)

    def _body(self, received: Received, hop: Hop, delivery_id: str | None) -> Readable | Unreadable:
        try:
            document = msgspec.json.decode(received.value)
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
            return _unreadable(Reason.UNDECODABLE, "the body is not JSON", delivery_id, hop.life)
        if faults := self._schema.faults(document):
            detail = f"{faults[0].pointer or 'the body'} {faults[0].detail}"
            return _unreadable(Reason.INVALID, detail, delivery_id, hop.life)
        try:
            return Readable(delivery=msgspec.convert(document, Delivery), hop=hop)
        except (msgspec.ValidationError, OverflowError) as error:
            return _unreadable(Reason.INVALID, str(error), delivery_id, hop.life)

    def _broken(self, received: Received, detail: str) -> Unreadable:
        return _unreadable(Reason.BROKEN_HEADERS, detail, _delivery_id(received), 0)


def _unreadable(reason: Reason, detail: str, delivery_id: str | None, life: int) -> Unreadable:
    return Unreadable(reason=reason, detail=detail, delivery_id=delivery_id, life=life)


def _delivery_id(received: Received) -> str | None:
    """Return the delivery's id as the event's id tells it, however broken the rest may be."""
    text = dict(received.headers).get("ce_id", b"").decode(errors="replace")
    return text if _is_delivery(text) else None


def _is_delivery(text: str) -> bool:
    return text.startswith(ids.DELIVERY) and ids.made_at(text) is not None
