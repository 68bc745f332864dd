"""What the audit does on its own: the alarm for what did not end, and the deleting of what is old."""

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from loguru import logger
from sqlalchemy import func, select, text

from audit import tables
from audit.reconcile import Reconciler
from audit.retention import Retention
from tests.support.clock import ManualClock
from tests.support.waiting import until
from tests.unit.audit.stories import NOW, Story, ingest
from tocsin.lifecycle import AuditEvent, Event
from tocsin.observe.metrics import Metrics
from tocsin.store.engine import Store

GRACE = timedelta(minutes=5)
KEEP = timedelta(days=90)
OLD = NOW - KEEP - timedelta(hours=1)


@pytest.fixture
def metrics() -> Metrics:
    return Metrics(version="test")


@pytest.fixture
def reconciler(store: Store, clock: ManualClock, metrics: Metrics) -> Reconciler:
    return Reconciler(store=store, metrics=metrics, clock=clock, interval=timedelta(seconds=60), grace=GRACE)


@pytest.fixture
def retention(store: Store, clock: ManualClock) -> Retention:
    return Retention(store=store, clock=clock, keep=KEEP)


@pytest.fixture
def alarms() -> Iterator[list[dict[str, Any]]]:
    told: list[dict[str, Any]] = []
    handler = logger.add(lambda message: told.append(message.record["extra"]), level="ERROR")
    yield told
    logger.remove(handler)


def overdue(metrics: Metrics) -> float | None:
    return metrics.registry.get_sample_value("tocsin_overdue_deliveries")


async def counts(store: Store) -> dict[str, int]:
    async with store.read() as connection:
        return {
            name: await connection.scalar(select(func.count()).select_from(table)) or 0
            for name, table in tables.metadata.tables.items()
        }


async def test_what_did_not_end_after_its_expiry_raises_the_alarm(
    store: Store, clock: ManualClock, metrics: Metrics, reconciler: Reconciler, alarms: list[dict[str, Any]]
) -> None:
    waiting, retrying, done = (Story(ttl=timedelta(minutes=1)) for _ in range(3))
    await ingest(store, [waiting.accepted(), retrying.accepted(), retrying.retrying(), *done.happy()])

    clock.advance(timedelta(minutes=1) + GRACE)
    await reconciler.reconcile()
    assert overdue(metrics) == 0
    assert alarms == []

    clock.advance(timedelta(milliseconds=1))
    await reconciler.reconcile()
    assert overdue(metrics) == 2
    [alarm] = alarms
    assert alarm["count"] == 2
    assert set(alarm["deliveries"]) == {waiting.delivery(), retrying.delivery()}

    await ingest(store, [waiting.told(Event.EXPIRED, {}, attempt=0), retrying.dead()])
    await reconciler.reconcile()
    assert overdue(metrics) == 0


async def test_a_replayed_life_is_watched_until_an_expiry_of_its_own(
    store: Store, clock: ManualClock, metrics: Metrics, reconciler: Reconciler
) -> None:
    story = Story(ttl=timedelta(minutes=1))
    await ingest(store, [story.accepted(), story.dead(), story.replayed(1, ttl=timedelta(hours=1))])

    clock.advance(timedelta(hours=1))
    await reconciler.reconcile()
    assert overdue(metrics) == 0

    clock.advance(GRACE + timedelta(seconds=2))
    await reconciler.reconcile()
    assert overdue(metrics) == 1


async def test_the_alarm_names_ten_at_most(
    store: Store, clock: ManualClock, metrics: Metrics, reconciler: Reconciler, alarms: list[dict[str, Any]]
) -> None:
    await ingest(store, [Story().accepted() for _ in range(12)])
    clock.advance(timedelta(days=2))

    await reconciler.reconcile()

    assert overdue(metrics) == 12
    assert len(alarms[0]["deliveries"]) == 10


async def test_the_reconciler_looks_at_what_has_not_ended_only(store: Store) -> None:
    query = "EXPLAIN QUERY PLAN SELECT count(*) FROM lives WHERE lives.rank < 2 AND lives.expires_at < 5"
    async with store.read() as connection:
        [step] = (await connection.execute(text(query))).all()

    assert "lives_open (expires_at<?)" in step.detail


async def test_the_reconciler_goes_on_until_it_is_stopped(
    store: Store, clock: ManualClock, metrics: Metrics, reconciler: Reconciler
) -> None:
    running = asyncio.create_task(reconciler.run())
    await until(clock.next_due, what="the first round")
    await ingest(store, [Story(ttl=timedelta(seconds=1)).accepted()])
    clock.advance(timedelta(days=1))
    await until(lambda: overdue(metrics) == 1, what="the alarm")

    # A store that is away for a while stops nothing.
    async with store.write() as connection:
        await connection.execute(text("ALTER TABLE lives RENAME TO gone"))
    await until(clock.next_due, what="the second round")
    clock.advance(timedelta(minutes=1))
    await until(clock.next_due, what="the third round")

    reconciler.stop()
    reconciler.stop()
    await running


async def test_what_is_too_old_goes_with_all_that_belongs_to_it(store: Store, retention: Retention) -> None:
    old, young = Story(made=OLD), Story(made=NOW)
    stray = msgspec.structs.replace(old.dead(life=1), notification_id=None)
    await ingest(store, [*old.happy(), stray], young.happy())

    assert await retention.sweep() == 1

    assert await counts(store) == {
        "notifications": 1,
        "notification_metadata": 1,
        "deliveries": 1,
        "lives": 1,
        "events": 3,
    }


async def test_what_has_not_ended_stays_whatever_its_age(store: Store, retention: Retention) -> None:
    stuck, reopened = Story(made=OLD), Story(made=OLD)
    await ingest(store, [stuck.accepted(), *reopened.happy(), reopened.replayed(1)])

    assert await retention.sweep() == 0
    assert (await counts(store))["notifications"] == 2


async def test_old_rows_that_belong_to_nothing_go_too(store: Store, retention: Retention) -> None:
    action = AuditEvent(id="evt_1", type=Event.OPERATOR_KEY_CREATED, time=OLD, tenant="default")
    recent = AuditEvent(id="evt_2", type=Event.OPERATOR_KEY_CREATED, time=NOW, tenant="default")
    unknown = msgspec.structs.replace(Story(made=OLD).dead(), notification_id=None)
    await ingest(store, [action, recent, unknown])

    await retention.sweep()

    found = await counts(store)
    assert (found["events"], found["lives"]) == (1, 0)


async def test_many_go_in_several_transactions(
    store: Store, retention: Retention, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("audit.retention._BATCH", 3)
    await ingest(store, [event for _ in range(10) for event in Story(made=OLD).happy()])

    assert await retention.sweep() == 10
    assert set((await counts(store)).values()) == {0}


async def test_a_stop_ends_the_sweep_between_two_transactions(store: Store, retention: Retention) -> None:
    await ingest(store, Story(made=OLD).happy())
    retention.stop()

    await retention.run()

    assert await retention.sweep() == 0
