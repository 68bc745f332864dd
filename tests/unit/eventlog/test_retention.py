"""What is deleted and what is not, and that places in the log are never given twice."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest

from tests.support.clock import ManualClock
from tests.support.logs import NOW, embedded_config, reading, write
from tests.support.waiting import until
from tocsin.eventlog.embedded.log import EmbeddedLog, open_log
from tocsin.observe.metrics import Metrics
from tocsin.record import Partition, Record
from tocsin.topics import TopicSpec

TOPIC = "log.test"
PLACE = Partition(TOPIC, 0)
AGE = timedelta(hours=1)


@dataclass
class Shelf:
    """A log of one partition that keeps records for an hour."""

    directory: Path
    clock: ManualClock = field(default_factory=ManualClock)

    @asynccontextmanager
    async def log(self, *, max_bytes: int = 1 << 30) -> AsyncIterator[EmbeddedLog]:
        """Open it."""
        config = embedded_config(self.directory, partitions=1, max_bytes=max_bytes, age=AGE)
        async with open_log(config, clock=self.clock, metrics=Metrics(version="test")) as log:
            await log.ensure_topics([TopicSpec(name=TOPIC, kind="delivery")])
            yield log

    async def write(self, log: EmbeddedLog, *numbers: int, size: int = 0) -> None:
        await write(log, *(Record(topic=TOPIC, key=b"k", value=b"%d" % n + bytes(size)) for n in numbers))

    async def register(self, log: EmbeddedLog, group: str, *, read_to: int) -> None:
        """Let a group read up to an offset."""
        async with reading(log, TOPIC, group=group) as subscription:
            await subscription.commit({PLACE: read_to})

    async def sweep(self, log: EmbeddedLog) -> list[int]:
        """Sweep until nothing goes; return the offsets that are left."""
        while await log._sweep():
            pass
        return await offsets(log)


def ticks(clock: ManualClock) -> bool:
    """Let a second pass; always false, for conditions that only time may bring about."""
    clock.advance(timedelta(seconds=1))
    return False


async def offsets(log: EmbeddedLog) -> list[int]:
    """Return the offsets in the file, whoever may read them."""
    rows = await log.run(lambda transaction: transaction.connection.execute("SELECT id FROM records").fetchall())
    return sorted(int(str(row[0])) & ((1 << 40) - 1) for row in rows)


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    """An empty one."""
    return Shelf(tmp_path)


async def test_what_is_old_and_read_by_all_is_deleted_and_nothing_else(shelf: Shelf) -> None:
    async with shelf.log() as log:
        await shelf.write(log, *range(10))
        shelf.clock.advance(AGE)
        await shelf.write(log, *range(10, 15))
        await shelf.register(log, "fast", read_to=15)
        shelf.clock.advance(timedelta(milliseconds=1))

        assert await shelf.sweep(log) == list(range(10, 15))


async def test_nothing_is_deleted_before_its_age(shelf: Shelf) -> None:
    async with shelf.log() as log:
        await shelf.write(log, *range(10))
        await shelf.register(log, "fast", read_to=10)
        shelf.clock.advance(AGE)

        assert await shelf.sweep(log) == list(range(10))


async def test_age_deletes_nothing_that_the_slowest_group_has_yet_to_read(shelf: Shelf) -> None:
    async with shelf.log() as log:
        await shelf.write(log, *range(10))
        await shelf.register(log, "fast", read_to=10)
        await shelf.register(log, "slow", read_to=4)
        shelf.clock.advance(AGE * 100)

        assert await shelf.sweep(log) == list(range(4, 10))
        async with reading(log, TOPIC, group="slow") as subscription:
            found = await subscription.fetch(limit=100, wait=NOW)
        assert [record.offset for record in found] == list(range(4, 10))


async def test_size_deletes_what_all_have_read_whatever_its_age_and_nothing_else(shelf: Shelf) -> None:
    async with shelf.log(max_bytes=1 << 20) as log:
        await shelf.register(log, "fast", read_to=0)
        await shelf.write(log, *range(40), size=30_000)
        await shelf.register(log, "fast", read_to=40)
        await shelf.register(log, "slow", read_to=25)

        assert await shelf.sweep(log) == list(range(25, 40))


async def test_size_deletes_nothing_that_nobody_has_registered_for(shelf: Shelf) -> None:
    async with shelf.log(max_bytes=1 << 20) as log:
        await shelf.write(log, *range(40), size=30_000)

        assert await shelf.sweep(log) == list(range(40))


async def test_a_group_that_registered_and_read_nothing_yet_holds_everything(shelf: Shelf) -> None:
    async with shelf.log() as log:
        await shelf.write(log, *range(5))
        async with reading(log, TOPIC, group="new"):
            pass
        shelf.clock.advance(AGE * 100)

        assert await shelf.sweep(log) == list(range(5))


async def test_many_records_go_bit_by_bit_until_all_have_gone(shelf: Shelf) -> None:
    async with shelf.log() as log:
        await shelf.write(log, *range(3500))
        await shelf.register(log, "fast", read_to=3400)
        shelf.clock.advance(AGE * 2)
        await log._sweep()

        assert 100 < len(await offsets(log)) < 3500
        assert await shelf.sweep(log) == list(range(3400, 3500))


async def test_the_log_sweeps_by_itself(shelf: Shelf) -> None:
    async with shelf.log() as log:
        await shelf.write(log, *range(5))
        await shelf.register(log, "fast", read_to=5)
        shelf.clock.advance(AGE * 2)
        left = [5]

        async def look() -> None:
            left[0] = len(await offsets(log))

        for _ in range(200):
            shelf.clock.advance(timedelta(seconds=1))
            await look()
            if not left[0]:
                break
        assert left == [0]


async def test_offsets_go_on_after_everything_was_deleted_and_the_log_reopened(shelf: Shelf) -> None:
    async with shelf.log() as log:
        await shelf.write(log, *range(7))
        await shelf.register(log, "fast", read_to=7)
        shelf.clock.advance(AGE * 2)
        assert await shelf.sweep(log) == []
    async with shelf.log() as log:
        await shelf.write(log, 7)
        assert await offsets(log) == [7]
        async with reading(log, TOPIC, group="fast") as subscription:
            found = await subscription.fetch(limit=10, wait=NOW)

    assert [record.offset for record in found] == [7]


async def test_a_new_group_starts_at_the_oldest_record_that_is_left(shelf: Shelf) -> None:
    async with shelf.log() as log:
        await shelf.write(log, *range(10))
        await shelf.register(log, "fast", read_to=6)
        shelf.clock.advance(AGE * 2)
        await shelf.sweep(log)
        async with reading(log, TOPIC, group="new") as subscription:
            found = await subscription.fetch(limit=100, wait=NOW)

            assert [record.offset for record in found] == [6, 7, 8, 9]
            assert (await subscription.lag())[PLACE] == 4


@pytest.mark.parametrize("left", [0, 3])
async def test_a_sink_that_seeks_to_what_was_deleted_goes_on_with_what_is_left(shelf: Shelf, left: int) -> None:
    """A sink's own store was restored from a backup: it may have lost records, but its fetch returns."""
    async with shelf.log() as log:
        await shelf.write(log, *range(10))
        await shelf.register(log, "sink", read_to=10 - left)
        shelf.clock.advance(AGE * 2)
        await shelf.sweep(log)
        async with reading(log, TOPIC, group="sink") as subscription:
            await subscription.seek({PLACE: 0})
            fetching = asyncio.ensure_future(subscription.fetch(limit=100, wait=NOW))
            await asyncio.wait({fetching}, timeout=20)
            returned = fetching.done()
            fetching.cancel()
            await asyncio.gather(fetching, return_exceptions=True)

    assert returned
    assert [record.offset for record in fetching.result()] == list(range(10 - left, 10))


async def test_the_sweep_of_the_crowded_log_frees_its_intake(shelf: Shelf) -> None:
    async with shelf.log(max_bytes=1 << 20) as log:
        await shelf.register(log, "fast", read_to=0)
        await shelf.write(log, *range(40), size=30_000)
        await until(lambda: not log.health().accepting or ticks(shelf.clock), what="intake to close")
        await shelf.register(log, "fast", read_to=40)

        await until(lambda: log.health().accepting or ticks(shelf.clock), what="intake to open")
        assert await offsets(log) == []
