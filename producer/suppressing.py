"""From the audit into the suppressed addresses: what a provider said of an address, at once or later in a receipt.

Only events that name an address do; the same event may come again, and then changes nothing.
"""

from collections.abc import Sequence

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from tocsin import envelope
from tocsin.clock import Clock
from tocsin.lifecycle import Event
from tocsin.record import Received, header
from tocsin.store import suppressions
from tocsin.store.suppressions import Reason, Told

_RECEIPTS: dict[str, Reason] = {
    Event.RECEIPT_FAILED: "hard_bounce",
    Event.RECEIPT_COMPLAINED: "complaint",
    Event.RECEIPT_OPTED_OUT: "opt_out",
    Event.RECEIPT_UNSUBSCRIBED: "unsubscribe",
}
_TYPES = frozenset(event.encode() for event in (Event.DEAD, *_RECEIPTS))
_UNKNOWN_SOURCE = "unknown"


class _Data(msgspec.Struct, frozen=True, kw_only=True):
    """What of an event's data says that an address is not to be used again."""

    channel: str = ""
    address: str = ""
    category: str | None = None
    suppress: Reason | None = None
    provider: str = ""


class SuppressionSink:
    """Writes the suppressed addresses. Fulfils `tocsin.consume.ingest.Sink`."""

    name = "producer.suppressing"

    def __init__(self, *, clock: Clock) -> None:
        self._clock = clock

    def wants(self, received: Received) -> bool:
        """Only events of the right type that may name an address: most bodies are not even looked at."""
        return header(received.headers, "ce_type") in _TYPES and b'"address"' in received.value

    async def write(self, connection: AsyncConnection, batch: Sequence[Received]) -> None:
        """Suppress the addresses that these events name."""
        told = [each for received in batch if (each := _told(received)) is not None]
        await suppressions.keep(connection, told, now=self._clock.now())


def _told(received: Received) -> Told | None:
    """Return what an event says of an address, None if it says nothing.

    What is no event of ours is left to the audit. Raises ValueError where one says it in words that nobody knows.
    """
    try:
        event = envelope.audit_event(received.value)
    except (ValueError, OverflowError, RecursionError):
        return None
    data = msgspec.convert(event.data, _Data)
    reason = data.suppress if event.type is Event.DEAD else _RECEIPTS.get(event.type)
    if reason is None or not data.address or not data.channel:
        return None
    return Told(
        tenant=event.tenant,
        channel=data.channel,
        address=data.address,
        reason=reason,
        source=data.provider or _UNKNOWN_SOURCE,
        at=event.time,
        category=data.category,
    )
