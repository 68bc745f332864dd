"""A record of the log → the delivery in it and where it stands, or why it cannot be read."""

import msgspec

from tocsin import delivery as deliveries
from tocsin import envelope, hops
from tocsin.deadletter import Reason
from tocsin.delivery import Delivery
from tocsin.hops import Hop
from tocsin.record import Received
from tocsin.validation import Schema


class Readable(msgspec.Struct, frozen=True, kw_only=True):
    """A delivery, and its hop."""

    delivery: Delivery
    hop: Hop


class Unreadable(msgspec.Struct, frozen=True, kw_only=True):
    """What is wrong, in words without contents."""

    reason: Reason
    detail: str


class Reader:
    """Reads delivery records of every version that there is."""

    def __init__(self, schema: Schema) -> None:
        self._schema = schema

    def read(self, received: Received) -> Readable | Unreadable:
        """Read one record. Never raises."""
        try:
            hop = hops.read(received.headers)
            attributes = envelope.read(received.headers)
        except (hops.BrokenHop, envelope.BrokenEnvelope) as error:
            return Unreadable(reason=Reason.BROKEN_HEADERS, detail=str(error))
        if attributes.schema not in deliveries.SCHEMAS:
            return Unreadable(reason=Reason.UNKNOWN_SCHEMA, detail="the schema of the body is not known here")
        return self._body(received, hop)

    def _body(self, received: Received, hop: Hop) -> Readable | Unreadable:
        try:
            document = msgspec.json.decode(received.value)
        except (ValueError, RecursionError):
            return Unreadable(reason=Reason.UNDECODABLE, detail="the body is not JSON")
        if faults := self._schema.faults(document):
            return Unreadable(reason=Reason.INVALID, detail=f"{faults[0].pointer or 'the body'} {faults[0].detail}")
        try:
            return Readable(delivery=msgspec.convert(document, Delivery), hop=hop)
        except (ValueError, OverflowError) as error:
            return Unreadable(reason=Reason.INVALID, detail=str(error))
