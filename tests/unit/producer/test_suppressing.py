"""What a provider says of an address becomes a suppression, once, however often and late the audit tells it."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from producer.suppressing import SuppressionSink
from tests.support.clock import ManualClock
from tests.support.postgres import GROUP, databases
from tocsin import envelope, ids, lifecycle, receipts
from tocsin.lifecycle import AuditEvent, Event
from tocsin.record import Partition, Received, Record
from tocsin.store import suppressions_listing
from tocsin.store.engine import Store, open_store
from tocsin.store.migrate import upgrade
from tocsin.store.suppressions import Suppressions, identity
from tocsin.store.suppressions_listing import Filter

__all__ = ["databases"]

ADA = "ada@example.test"
CLOCK = ManualClock()
NOTIFICATION = ids.notification_id(CLOCK.now(), bytes)
DELIVERY = ids.delivery_id(NOTIFICATION, "email", ADA)
RECEIPT = {"channel": "sms", "provider": "twilio", "provider_id": "SM1", "code": "30006", "message": "Landline"}
DEATH = {"channel": "email", "reason": "rejected", "code": "550 5.1.1", "message": "gone", "dead_letter_id": "dlt_1"}


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=GROUP)])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    if request.param == "sqlite":
        async with open_store(f"sqlite:///{tmp_path / 'store.db'}") as opened:
            await upgrade(opened)
            yield opened
        return
    async with request.getfixturevalue("databases").migrated() as url, open_store(url) as opened:
        yield opened


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(CLOCK.now() + timedelta(hours=1))


def dead(**data: Any) -> AuditEvent:
    return lifecycle.of_delivery(
        Event.DEAD,
        delivery_id=DELIVERY,
        notification_id=NOTIFICATION,
        tenant="default",
        life=0,
        attempt=1,
        time=CLOCK.now(),
        data={**DEATH, **data},
    )


def receipt(event: Event, **data: Any) -> AuditEvent:
    return receipts.receipt(
        event,
        delivery_id=DELIVERY,
        notification_id=None,
        tenant="default",
        life=0,
        provider_id="SM1",
        time=CLOCK.now(),
        data={**RECEIPT, **data},
    )


def received(*events: AuditEvent) -> list[Received]:
    return [as_read(envelope.audit_record(event)) for event in events]


def as_read(record: Record) -> Received:
    return Received(
        place=Partition(record.topic, 0),
        offset=0,
        key=record.key,
        value=record.value,
        headers=record.headers,
        timestamp=CLOCK.now(),
    )


async def take(store: Store, clock: ManualClock, batch: list[Received]) -> None:
    sink = SuppressionSink(clock=clock)
    async with store.write() as connection:
        await sink.write(connection, [each for each in batch if sink.wants(each)])


async def found(store: Store, clock: ManualClock) -> set[tuple[str, str, str, str]]:
    rows = await suppressions_listing.page(store, Filter(), tenant="default", now=clock.now(), below=None, limit=100)
    assert {row.added_at for row in rows} <= {CLOCK.now()}
    return {(row.channel, row.address, row.reason, row.source) for row in rows}


async def test_a_death_that_names_the_address_suppresses_it(store: Store, clock: ManualClock) -> None:
    await take(store, clock, received(dead(suppress="hard_bounce", address=ADA, provider="smtp")))

    assert await found(store, clock) == {("email", ADA, "hard_bounce", "smtp")}


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        (Event.RECEIPT_FAILED, "hard_bounce"),
        (Event.RECEIPT_COMPLAINED, "complaint"),
        (Event.RECEIPT_OPTED_OUT, "opt_out"),
    ],
)
async def test_a_receipt_that_names_the_address_suppresses_it(
    store: Store, clock: ManualClock, event: Event, reason: str
) -> None:
    await take(store, clock, received(receipt(event, address="+4930123456")))

    assert await found(store, clock) == {("sms", "+4930123456", reason, "twilio")}


async def test_one_that_unsubscribes_from_a_category_is_suppressed_for_it_alone(
    store: Store, clock: ManualClock
) -> None:
    event = AuditEvent(
        id="evt_1",
        type=Event.RECEIPT_UNSUBSCRIBED,
        time=CLOCK.now(),
        tenant="default",
        notification_id=NOTIFICATION,
        data={"channel": "email", "provider": "unsubscribe_link", "address": ADA, "category": "newsletter"},
    )
    await take(store, clock, received(event, event))
    kept = Suppressions(store=store, clock=clock)

    assert await found(store, clock) == {("email", ADA, "unsubscribe", "unsubscribe_link")}
    assert await kept.reason("default", "email", ADA, "newsletter") == "unsubscribe"
    assert await kept.reason("default", "email", ADA, "orders") is None


async def test_whatever_says_nothing_of_an_address_suppresses_nothing(store: Store, clock: ManualClock) -> None:
    headers = (("ce_type", Event.DEAD.encode()),)
    noise = [
        as_read(Record(topic="notifications.audit", key=None, value=value, headers=headers))
        for value in (b"", b"\xff", b'"address"', b"[" * 100_000 + b'"address"', b'{"id": 1, "address": 2}')
    ]
    events = (
        dead(),
        dead(message='no "address" here'),
        dead(address=ADA),
        dead(suppress="hard_bounce"),
        receipt(Event.RECEIPT_FAILED),
        receipt(Event.RECEIPT_CONFIRMED, address=ADA),
        receipt(Event.RECEIPT_READ, address=ADA),
    )
    await take(store, clock, [*noise, *received(*events)])

    assert await found(store, clock) == set()


async def test_a_reason_that_nobody_knows_is_not_passed_over(store: Store, clock: ManualClock) -> None:
    """It is kept in the quarantine, and tells of a bug."""
    with pytest.raises(ValueError, match="suppress"):
        await take(store, clock, received(dead(suppress="dislike", address=ADA)))


async def test_the_same_batch_again_changes_nothing(store: Store, clock: ManualClock) -> None:
    batch = received(
        dead(suppress="hard_bounce", address=ADA, provider="smtp"),
        dead(suppress="hard_bounce", address=ADA.upper(), provider="other"),
        receipt(Event.RECEIPT_OPTED_OUT, address="+4930123456"),
    )
    await take(store, clock, batch)
    before = await found(store, clock)
    clock.advance(timedelta(hours=1))
    await take(store, clock, batch * 2)

    assert await found(store, clock) == before
    assert len(before) == 2


async def test_a_batch_that_comes_again_after_a_lift_does_not_undo_it(store: Store, clock: ManualClock) -> None:
    batch = received(dead(suppress="hard_bounce", address=ADA, provider="smtp"))
    await take(store, clock, batch)
    await Suppressions(store=store, clock=clock).lift(identity("default", "email", ADA), tenant="default")
    await take(store, clock, batch)

    assert await found(store, clock) == set()
