"""A log without room: a disk that fills up, the size cap, and a queue that is too long."""

import asyncio

import pytest

from tests.support.logs import reading, write
from tests.support.waiting import until
from tests.unit.eventlog.places import SPECS, TOPIC, Place, everything, freed, full, place, record, ticks, writer_held
from tocsin.errors import LogFull, LogUnavailable
from tocsin.record import Partition
from tocsin.topics import TopicSpec

__all__ = ["place"]

LARGE = record(b"x" * (1 << 20))


async def test_a_full_disk_fails_the_write_and_says_so(place: Place) -> None:
    async with place.log() as log:
        await log.ensure_topics(SPECS)
        await write(log, record(b"before"))
        await full(log)
        with pytest.raises(LogUnavailable, match="full"):
            await write(log, LARGE)

        health = log.health()
        assert (health.writable, health.accepting) == (False, False)
        assert "full" in health.detail


async def test_a_full_disk_fails_all_that_gathered_and_keeps_none_of_it(place: Place) -> None:
    async with place.log() as log:
        await log.ensure_topics(SPECS)
        await full(log)
        async with writer_held(log):
            writes = [log.run(lambda transaction: transaction.append([record(b"small")])) for _ in range(3)]
            writes.append(log.run(lambda transaction: transaction.append([LARGE])))
        found = await asyncio.gather(*writes, return_exceptions=True)
        await freed(log)
        await write(log, record(b"after"))

        assert [type(each) for each in found] == [LogUnavailable] * 4
        assert await everything(log) == [(0, b"after")]


async def test_the_log_is_writable_again_by_itself_when_there_is_room(place: Place) -> None:
    async with place.log() as log:
        await log.ensure_topics(SPECS)
        await full(log)
        with pytest.raises(LogUnavailable):
            await write(log, LARGE)
        assert not log.health().writable
        with pytest.raises(LogFull):
            log.take_intake()
        await freed(log)
        await until(lambda: log.health().accepting or ticks(place.clock), what="the log to find out by itself")
        await write(log, LARGE)

        assert await everything(log) == [(0, LARGE.value)]


async def test_a_commit_of_nothing_does_not_call_a_full_disk_writable(place: Place) -> None:
    async with place.log() as log:
        await log.ensure_topics(SPECS)
        await full(log)
        with pytest.raises(LogUnavailable):
            await write(log, LARGE)
        await log.run(lambda _: None)

        assert not log.health().writable


async def test_topics_that_could_not_be_made_durable_are_made_later(place: Place) -> None:
    """The layout in memory must not know of partitions that were rolled back: what goes there would be lost."""
    many = [TopicSpec(name=f"log.{n}.{'x' * 200}", kind="delivery") for n in range(400)]
    async with place.log() as log:
        await full(log)
        with pytest.raises(LogUnavailable):
            await log.ensure_topics(many)
        await freed(log)
        await log.ensure_topics(many)
        await write(log, record(b"1", topic=many[0].name))
    async with place.log() as log:
        assert await everything(log, many[0].name) == [(0, b"1")]


async def test_the_size_cap_closes_intake_and_lets_through_what_was_accepted(place: Place) -> None:
    async with place.log(max_bytes=1 << 19) as log:
        await log.ensure_topics(SPECS)
        async with reading(log, TOPIC, group="slow"):
            await write(log, LARGE)
            await until(lambda: not log.health().accepting or ticks(place.clock), what="intake to close")
            health = log.health()
            with pytest.raises(LogFull, match="size cap"):
                log.take_intake()
            await log.run(lambda transaction: transaction.append([record(b"settled")]))

            assert health.writable
            assert "size cap" in health.detail
        assert [value for _, value in await everything(log)] == [LARGE.value, b"settled"]


async def test_intake_opens_again_when_all_have_read(place: Place) -> None:
    async with place.log(max_bytes=1 << 19) as log:
        await log.ensure_topics(SPECS)
        async with reading(log, TOPIC, group="slow") as subscription:
            await write(log, LARGE)
            await until(lambda: not log.health().accepting or ticks(place.clock), what="intake to close")
            await subscription.commit({Partition(TOPIC, 0): 1})
            await until(lambda: log.health().accepting or ticks(place.clock), what="intake to open")


async def test_too_long_a_queue_closes_intake_only(place: Place) -> None:
    async with place.log() as log:
        await log.ensure_topics(SPECS)
        async with writer_held(log):
            writes = [log.run(lambda _: None) for _ in range(20_000)]
            with pytest.raises(LogFull, match="waiting"):
                log.take_intake()
            assert log.health().writable
        await asyncio.gather(*writes)

        assert log.health().accepting
