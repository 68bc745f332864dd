"""What the tests of the dead-letter service are made with: a still clock, a log that remembers, and dead letters."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from msgspec.structs import replace

from dlq import items
from dlq.ingest import DeadLetterSink, row_of
from tests.support.clock import ManualClock
from tocsin import deadletter, delivery, envelope, hops, ids, topics
from tocsin.deadletter import Reason
from tocsin.delivery import Delivery, Lane, Person, TemplateRef
from tocsin.ledger.port import Accepted, AttemptKey, ClaimAnswer, Settlement, Submission, SubmitAnswer
from tocsin.record import Headers, Partition, Received, Record, Source
from tocsin.store.engine import Store

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
ACCEPTED = NOW - timedelta(hours=3)
SPAN = timedelta(hours=2)
CHANNELS = {topics.dlq("email"): "email", topics.dlq("sms"): "sms"}


@dataclass
class Log:
    """A publisher and a ledger in one: keeps what was written, or fails `failing` times before it does.

    `torn` makes the failure come after the write, as a crash or a late timeout would.
    """

    records: list[Record] = field(default_factory=list)
    failing: list[BaseException] = field(default_factory=list)
    torn: bool = False

    async def write(self, records: Sequence[Record]) -> None:
        if self.failing and not self.torn:
            raise self.failing.pop()
        self.records.extend(records)
        if self.failing:
            raise self.failing.pop()

    async def submit(self, submissions: Sequence[Submission]) -> Sequence[SubmitAnswer]:
        await self.write([record for submission in submissions for record in submission.records])
        return [Accepted() for _ in submissions]

    async def claim(self, key: AttemptKey, source: Source, *, durable: bool) -> ClaimAnswer:
        raise NotImplementedError

    async def release(self, key: AttemptKey, source: Source) -> None:
        raise NotImplementedError

    async def settle(self, settlement: Settlement) -> bool:
        raise NotImplementedError


def a_delivery(*, number: int = 1, **changes: Any) -> Delivery:
    """Return a delivery; `number` tells it from others."""
    notification = ids.derived(ids.NOTIFICATION, ids.lowest(ids.NOTIFICATION, ACCEPTED), str(number))
    values: dict[str, Any] = {
        "id": ids.delivery_id(notification, "email", "ada@example.test"),
        "notification_id": notification,
        "tenant": "default",
        "channel": "email",
        "address": "ada@example.test",
        "recipient": Person(id="cust-42", locale="de"),
        "lane": Lane.HIGH,
        "category": "orders",
        "semantics": "at_least_once",
        "accepted_at": ACCEPTED,
        "expires_at": ACCEPTED + SPAN,
        "template": TemplateRef(name="order-confirmation", version="v1"),
        "data": {"order": "1001"},
    }
    return Delivery(**{**values, **changes})


def accepted(body: Delivery, *, life: int = 0) -> Record:
    """Return the record that the producer writes for a delivery, with a header twice and one that is no text."""
    attributes = envelope.Envelope(
        id=body.id,
        type=delivery.CLOUD_EVENT_TYPE,
        time=body.accepted_at,
        schema=delivery.SCHEMA,
        traceparent="00-1-2-01",
    )
    headers = (*envelope.write(attributes), ("x-note", b"one"), ("x-note", b"two\xff\x00"), ("x-empty", b""))
    first = hops.first(now=body.accepted_at, expires_at=body.expires_at, life=life)
    # Odd white space: no decoder and encoder between here and the replay may have touched the bytes.
    value = b" " + delivery.encode(body) + b"\n"
    topic = topics.delivery(body.channel, body.lane)
    return Record(topic=topic, key=b"recipient\xff", value=value, headers=hops.write(headers, first))


def received(record: Record, *, offset: int = 7, at: datetime = NOW) -> Received:
    """Return a record as it is read from the log."""
    return Received(
        place=Partition(record.topic, 3),
        offset=offset,
        key=record.key,
        value=record.value,
        headers=record.headers,
        timestamp=at,
    )


def a_death(
    body: Delivery | None = None,
    *,
    life: int = 0,
    at: datetime = NOW,
    reason: Reason = Reason.REJECTED,
    code: str = "550 5.1.1",
) -> Received:
    """Return the dead letter of a delivery that a provider refused at its second attempt."""
    body = body or a_delivery()
    original = received(accepted(body, life=life))
    hop = hops.read(original.headers)
    tried = [("1", "deferred", "451 4.7.1"), ("2", "rejected", code)]
    history = tuple(
        hops.Attempted(attempt=int(n), at=NOW, outcome=outcome, provider="smtp-a", code=reply, message="no such box")
        for n, outcome, reply in tried
    )
    failure = hops.Failure(kind="rejected", code=code, message="no such box", provider="smtp-a")
    died = replace(hop, attempt=2, failure=failure, history=history, unconfirmed=1)
    letter = deadletter.of_delivery(original, channel=body.channel, hop=died, reason=reason)
    return received(letter, offset=40, at=at)


def a_riddle(
    *,
    value: bytes = b"\xff not json",
    headers: Headers = (),
    key: bytes | None = None,
    reason: Reason = Reason.UNDECODABLE,
    offset: int = 9,
    at: datetime = NOW,
) -> Received:
    """Return the dead letter of a record that could not be read."""
    record = Record(topic=topics.delivery("email", Lane.NORMAL), key=key, value=value, headers=headers)
    original = received(record, offset=offset)
    letter = deadletter.of_unreadable(original, channel="email", reason=reason, detail="the body is not JSON")
    return received(letter, offset=41, at=at)


def letter_id(received: Received) -> str:
    """Return the id under which a dead letter's record is kept."""
    return str(row(received)["id"])


def row(received: Received) -> dict[str, Any]:
    """Return the row that a dead letter's record becomes."""
    return row_of(received, channel=CHANNELS[received.topic], now=NOW)


async def keep(store: Store, *letters: Received) -> None:
    """Ingest dead letters."""
    async with store.write() as connection:
        await DeadLetterSink(channels=CHANNELS, clock=ManualClock(NOW)).write(connection, letters)


async def look(store: Store, letter_id: str, *, tenant: str = "default") -> items.Item:
    """Return a letter that is there."""
    async with store.read() as connection:
        item = await items.find(connection, letter_id, tenant=tenant)
    assert item is not None
    return item
