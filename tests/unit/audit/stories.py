"""Notifications and what happens to them, as audit events, for the tests of the audit."""

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from audit.ingest import AuditSink
from tocsin import envelope, ids, lifecycle
from tocsin.clock import rfc3339
from tocsin.lifecycle import AuditEvent, Event
from tocsin.record import Partition, Received
from tocsin.store.engine import Store

NOW = datetime(2030, 1, 1, tzinfo=UTC)
TTL = timedelta(days=1)
_random = Random(7)
_offsets = itertools.count()


@dataclass(kw_only=True)
class Story:
    """One notification. Every event happens a second after the one before."""

    tenant: str = "default"
    made: datetime = NOW
    recipient: str | None = "cust-42"
    addresses: Sequence[tuple[str, str]] = (("email", "ada@example.test"),)
    category: str = "orders"
    metadata: dict[str, str] = field(default_factory=lambda: {"order_id": "1001"})
    ttl: timedelta = TTL
    seconds: int = 0
    id: str = ""
    test: bool = False

    def __post_init__(self) -> None:
        self.id = self.id or ids.notification_id(self.made, _random.randbytes)

    def delivery(self, number: int = 0) -> str:
        """Return the id of one of its deliveries."""
        return ids.delivery_id(self.id, *self.addresses[number])

    def accepted(self) -> AuditEvent:
        """Tell that it was accepted."""
        return lifecycle.of_notification(
            Event.ACCEPTED,
            notification_id=self.id,
            tenant=self.tenant,
            time=self.made,
            data={
                "recipient": {"id": self.recipient, "locale": "de"},
                "channels": [channel for channel, _ in self.addresses],
                "template": "order-confirmation",
                "template_version": "v1",
                "category": self.category,
                "lane": "normal",
                "metadata": self.metadata,
                "expires_at": rfc3339(self.made + self.ttl),
                "deliveries": [
                    {"id": self.delivery(number), "channel": channel, "address": address}
                    for number, (channel, address) in enumerate(self.addresses)
                ],
                **({"test": True} if self.test else {}),
            },
        )

    def attempted(self, attempt: int, outcome: str, *, number: int = 0, life: int = 0) -> AuditEvent:
        """Tell of an attempt."""
        data = {"provider": "smtp", "outcome": outcome, "code": "x", "message": "y", "duration_ms": 3}
        return self.told(Event.ATTEMPTED, data, attempt=attempt, number=number, life=life)

    def retrying(self, attempt: int = 1, *, number: int = 0, life: int = 0) -> AuditEvent:
        """Tell that a delivery waits for its next attempt."""
        data = {"not_before": rfc3339(self.made), "tier": "5s"}
        return self.told(Event.RETRYING, data, attempt=attempt, number=number, life=life)

    def delivered(self, attempt: int = 1, *, number: int = 0, life: int = 0) -> AuditEvent:
        """Tell that a delivery was delivered."""
        data = {"provider": "smtp", "provider_id": "4ABCD", "code": "250 2.0.0"}
        return self.told(Event.DELIVERED, data, attempt=attempt, number=number, life=life)

    def dead(self, attempt: int = 1, *, number: int = 0, life: int = 0) -> AuditEvent:
        """Tell that a delivery died."""
        data = {"reason": "rejected", "code": "550 5.1.1", "message": "no such user", "dead_letter_id": "dlt_1"}
        return self.told(Event.DEAD, data, attempt=attempt, number=number, life=life)

    def replayed(self, life: int, *, number: int = 0, ttl: timedelta = TTL) -> AuditEvent:
        """Tell that an operator opened a life."""
        expires_at = rfc3339(self.made + timedelta(seconds=self.seconds) + ttl)
        data = {"dead_letter_id": "dlt_1", "actor": "key_1", "expires_at": expires_at}
        return self.told(Event.REPLAYED, data, attempt=0, number=number, life=life)

    def told(self, event: Event, data: dict[str, Any], *, attempt: int, number: int = 0, life: int = 0) -> AuditEvent:
        """Tell anything of a delivery."""
        self.seconds += 1
        return lifecycle.of_delivery(
            event,
            delivery_id=self.delivery(number),
            notification_id=self.id,
            tenant=self.tenant,
            life=life,
            attempt=attempt,
            time=self.made + timedelta(seconds=self.seconds),
            data={"channel": self.addresses[number][0], **data},
        )

    def happy(self) -> list[AuditEvent]:
        """Tell of a notification that is delivered at once."""
        return [self.accepted(), self.attempted(1, "delivered"), self.delivered()]


def received(events: Iterable[AuditEvent]) -> list[Received]:
    """Return events as they are read from the log."""
    records = [envelope.audit_record(event) for event in events]
    return [
        Received(
            place=Partition(record.topic, 0),
            offset=next(_offsets),
            key=record.key,
            value=record.value,
            headers=record.headers,
            timestamp=NOW,
        )
        for record in records
    ]


async def ingest(store: Store, *batches: Iterable[AuditEvent]) -> None:
    """Ingest events, each batch in its own transaction."""
    sink = AuditSink()
    for batch in batches:
        async with store.write() as connection:
            await sink.write(connection, received(batch))
