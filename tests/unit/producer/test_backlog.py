"""Intake stops while the audit is too far behind, and opens by itself."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any

import pytest

from producer.backlog import Backlog
from tests.support.clock import ManualClock
from tests.support.waiting import until
from tocsin.errors import LogFull, LogUnavailable


class FakeLog:
    """Has one event that the audit has yet to read, or none."""

    def __init__(self) -> None:
        self.oldest: datetime | None = None
        self.away = False
        self.asked = 0

    async def behind(self, _group: str, _topic: str, *, before: datetime) -> bool:
        self.asked += 1
        if self.away:
            raise LogUnavailable("away")
        return self.oldest is not None and self.oldest < before


@asynccontextmanager
async def looking(log: Any, clock: ManualClock) -> AsyncIterator[Backlog]:
    backlog = Backlog(log, retention=timedelta(hours=168), clock=clock)
    task = asyncio.create_task(backlog.run())
    try:
        yield backlog
    finally:
        backlog.stop()
        await task


async def looks(log: FakeLog, clock: ManualClock, passed: timedelta) -> None:
    asked = log.asked
    await until(lambda: clock.next_due() is not None, what="a pause")
    clock.advance(passed)
    await until(lambda: log.asked > asked, what="another look")
    await until(lambda: clock.next_due() is not None, what="the pause after it")


async def test_half_of_the_retention_is_the_most_that_the_audit_may_be_behind() -> None:
    log, clock = FakeLog(), ManualClock()
    log.oldest = clock.now()
    async with looking(log, clock) as backlog:
        await looks(log, clock, timedelta(hours=83))
        backlog.take_intake()
        await looks(log, clock, timedelta(hours=2))
        with pytest.raises(LogFull, match="audit is behind by more than 3 days, 12:00:00"):
            backlog.take_intake()
        log.oldest = None
        await looks(log, clock, timedelta(minutes=1))
        backlog.take_intake()


async def test_a_log_that_does_not_answer_changes_nothing() -> None:
    log, clock = FakeLog(), ManualClock()
    log.oldest = clock.now() - timedelta(hours=100)
    async with looking(log, clock) as backlog:
        await until(lambda: bool(backlog.detail), what="the first look")
        log.away, log.oldest = True, None
        await looks(log, clock, timedelta(minutes=1))
        with pytest.raises(LogFull):
            backlog.take_intake()
