"""The wish to stop: it ends pauses, repetitions and a log's waiting, whenever it comes."""

import asyncio
from datetime import timedelta
from pathlib import Path

from tests.support.clock import ManualClock
from tests.support.logs import embedded_config, reading
from tests.support.waiting import until
from tocsin.consume.stopping import Stop
from tocsin.eventlog.embedded.log import open_log
from tocsin.observe.metrics import Metrics
from tocsin.topics import TopicSpec

TOPIC = "log.test"
LONG = timedelta(hours=1)


async def test_what_is_repeated_is_done_at_once_then_after_each_pause_until_the_stop() -> None:
    clock, done = ManualClock(), []
    stop = Stop(clock)

    async def do() -> None:
        done.append(clock.now())

    repeating = asyncio.create_task(stop.repeat(do, every=LONG))
    started = clock.now()
    for count in range(1, 4):
        await until(lambda count=count: len(done) == count, what=f"turn {count}")  # type: ignore[misc] # mypy issue 15459
        clock.advance(LONG)
    await until(lambda: len(done) == 4, what="turn 4")
    stop.request()
    await asyncio.wait_for(repeating, 20)

    assert done == [started + LONG * turn for turn in range(4)]


async def test_what_is_to_stop_before_it_starts_is_not_done() -> None:
    stop = Stop(ManualClock())
    stop.request()

    async def do() -> None:
        raise AssertionError

    await asyncio.wait_for(stop.repeat(do, every=LONG), 20)


async def test_a_stop_ends_the_fetch_that_waits_and_those_to_come(tmp_path: Path) -> None:
    clock = ManualClock()
    async with open_log(embedded_config(tmp_path), clock=clock, metrics=Metrics(version="test")) as log:
        await log.ensure_topics([TopicSpec(name=TOPIC, kind="delivery")])
        async with reading(log, TOPIC) as subscription:
            stop = Stop(clock)
            stop.hurries(subscription)
            fetching = asyncio.create_task(subscription.fetch(limit=1, wait=LONG))
            await asyncio.sleep(0)
            assert not fetching.done()
            stop.request()

            assert await asyncio.wait_for(fetching, 20) == ()
            assert await asyncio.wait_for(subscription.fetch(limit=1, wait=LONG), 20) == ()


async def test_a_stop_that_came_first_is_told_to_the_subscription(tmp_path: Path) -> None:
    clock = ManualClock()
    async with open_log(embedded_config(tmp_path), clock=clock, metrics=Metrics(version="test")) as log:
        await log.ensure_topics([TopicSpec(name=TOPIC, kind="delivery")])
        async with reading(log, TOPIC) as subscription:
            stop = Stop(clock)
            stop.request()
            stop.hurries(subscription)

            assert await asyncio.wait_for(subscription.fetch(limit=1, wait=LONG), 20) == ()
