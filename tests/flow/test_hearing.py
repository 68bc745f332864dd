"""Receipts out of the log: the fresh ones, for what they say of a provider, and on from where it stopped."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from channels.hearing import Hearing
from tests.support.backends import Backend, Standing
from tests.support.clock import ManualClock
from tests.support.waiting import until
from tocsin import ids, receipts, topics
from tocsin.envelope import audit_record
from tocsin.lifecycle import AuditEvent, Event
from tocsin.observe.metrics import Metrics
from tocsin.receipts import Verdict
from tocsin.record import Record, replaced

ARRIVED = Verdict(channel="sms", provider="twilio", arrived=True)
FAILED = Verdict(channel="sms", provider="twilio", arrived=False)


def receipt(event: Event, number: int = 0, **data: Any) -> AuditEvent:
    return receipts.receipt(
        event,
        delivery_id=f"{ids.DELIVERY}{number:026}",
        notification_id=f"{ids.NOTIFICATION}{number:026}",
        tenant="default",
        life=0,
        provider_id=f"SM{number}",
        time=ManualClock().now(),
        data={"channel": "sms", "provider": "twilio", "provider_id": "SM1", "code": "", "message": "", **data},
    )


@asynccontextmanager
async def hearing(standing: Standing, clock: ManualClock) -> AsyncIterator[list[Verdict]]:
    heard: list[Verdict] = []
    loop = Hearing(log=standing.log, clock=clock, hear=heard.append)
    running = asyncio.create_task(loop.run())
    try:
        yield heard
    finally:
        loop.stop()
        await running


async def write(standing: Standing, *records: Record) -> None:
    async with standing.log.publisher() as publisher:
        await publisher.write(records)


async def committed(standing: Standing) -> None:
    """Return once the group has committed everything."""
    async with asyncio.timeout(20):
        while any((await standing.log.group_lag(topics.hearing_group())).values()):  # noqa: ASYNC110 - of a commit there is no event
            await asyncio.sleep(0.002)


async def test_receipts_are_heard_and_the_rest_is_passed(tmp_path: Path, backend: Backend, clock: ManualClock) -> None:
    async with backend.opened(tmp_path, clock, Metrics(version="1")) as standing, hearing(standing, clock) as heard:
        good = audit_record(receipt(Event.RECEIPT_CONFIRMED, 1))
        broken = Record(topic=good.topic, key=good.key, value=b"{not json", headers=good.headers)
        other = Record(
            topic=good.topic, key=good.key, value=good.value, headers=replaced(good.headers, {"ce_type": b"x"})
        )
        failed = audit_record(receipt(Event.RECEIPT_FAILED, 1, scope="route"))
        await write(standing, broken, other, good, failed)
        await until(lambda: len(heard) >= 2, what="the receipts")

        assert heard == [ARRIVED, FAILED]


async def test_the_next_process_goes_on_where_one_has_stopped(
    tmp_path: Path, backend: Backend, clock: ManualClock
) -> None:
    async with backend.opened(tmp_path, clock, Metrics(version="1")) as standing:
        async with hearing(standing, clock) as heard:
            await write(standing, audit_record(receipt(Event.RECEIPT_CONFIRMED, 1)))
            await until(lambda: heard, what="the receipt")
            clock.advance(timedelta(seconds=5))
            await committed(standing)
        async with hearing(standing, clock) as heard:
            await write(standing, audit_record(receipt(Event.RECEIPT_FAILED, 1, scope="route")))
            await until(lambda: heard, what="the next one")

            assert heard == [FAILED]


async def test_what_was_told_long_ago_says_nothing(tmp_path: Path, backend: Backend, clock: ManualClock) -> None:
    async with backend.opened(tmp_path, clock, Metrics(version="1")) as standing:
        await write(standing, audit_record(receipt(Event.RECEIPT_FAILED, 1, scope="route")))
        clock.advance(timedelta(minutes=10))
        async with hearing(standing, clock) as heard:
            await write(standing, audit_record(receipt(Event.RECEIPT_CONFIRMED, 1)))
            await until(lambda: heard, what="the fresh one")

            assert heard == [ARRIVED]
