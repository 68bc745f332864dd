"""The loop that keeps the suppressed addresses new: every second, through an outage of the store, until stopped."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest

from channels.refreshing import Refreshing
from tests.support.clock import ManualClock
from tests.support.waiting import until
from tocsin.errors import StoreUnavailable

SECOND = timedelta(seconds=1)


class Addresses:
    """Counts how often it is refreshed; can fail at it."""

    def __init__(self) -> None:
        self.refreshed = 0
        self.tried = 0
        self.away = False

    @property
    def loaded(self) -> bool:
        return self.refreshed > 0

    async def refresh(self) -> None:
        self.tried += 1
        if self.away:
            raise StoreUnavailable("the store is away")
        self.refreshed += 1


@pytest.fixture
def addresses() -> Addresses:
    return Addresses()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@asynccontextmanager
async def running(addresses: Addresses, clock: ManualClock) -> AsyncIterator[Refreshing]:
    loop = Refreshing(addresses, clock=clock)  # type: ignore[arg-type] # has what the loop uses
    task = asyncio.create_task(loop.run())
    try:
        yield loop
    finally:
        loop.stop()
        await asyncio.wait_for(task, 5)


async def rests(clock: ManualClock, addresses: Addresses, tried: int) -> None:
    await until(lambda: addresses.tried == tried and clock.next_due() is not None, what=f"look {tried}")


async def test_it_loads_at_once_and_looks_every_second(addresses: Addresses, clock: ManualClock) -> None:
    async with running(addresses, clock) as loop:
        await rests(clock, addresses, 1)
        assert loop.healthy
        for number in (2, 3):
            clock.advance(SECOND)
            await rests(clock, addresses, number)

    assert addresses.refreshed == 3


async def test_before_the_load_it_is_not_healthy(addresses: Addresses, clock: ManualClock) -> None:
    loop = Refreshing(addresses, clock=clock)  # type: ignore[arg-type] # has what the loop uses

    assert not loop.healthy
    assert "not loaded" in loop.detail


async def test_an_outage_is_told_and_outlived(addresses: Addresses, clock: ManualClock) -> None:
    async with running(addresses, clock) as loop:
        await rests(clock, addresses, 1)
        addresses.away = True
        clock.advance(SECOND)
        await rests(clock, addresses, 2)
        assert (loop.healthy, loop.detail) == (False, "the store is away")
        addresses.away = False
        clock.advance(SECOND)
        await rests(clock, addresses, 3)

        assert (loop.healthy, loop.detail) == (True, "")


async def test_it_may_be_stopped_before_it_runs(addresses: Addresses, clock: ManualClock) -> None:
    loop = Refreshing(addresses, clock=clock)  # type: ignore[arg-type] # has what the loop uses
    loop.stop()
    await asyncio.wait_for(loop.run(), 5)

    assert addresses.tried == 0
