"""What is read while something else is written: nothing is skipped because of it."""

import asyncio
from collections.abc import Callable, Iterator

from tests.unit.consume.line_sink import FIRST, LineSink, clock, log, make, metrics, sink, store, written
from tests.unit.consume.scripted_log import ScriptedLog
from tocsin.consume.ingest import Ingest
from tocsin.errors import StoreUnavailable
from tocsin.store.engine import Store

__all__ = ["clock", "log", "make", "metrics", "sink", "store"]


async def test_more_is_read_while_a_whole_batch_is_written(
    make: Callable[..., Ingest], log: ScriptedLog, store: Store, sink: LineSink
) -> None:
    log.put(b"a", b"b", b"c")
    told: list[str] = []
    log.on_fetch = lambda: told.append("read")
    sink.before = lambda: told.append("write")

    await make(limit=2).run()

    assert told[:3] == ["read", "read", "write"]
    assert await written(store) == [b"a", b"b", b"c"]


async def test_what_was_read_ahead_of_a_partition_that_came_back_does_not_hide_what_was_not_written(
    make: Callable[..., Ingest], log: ScriptedLog, store: Store, sink: LineSink
) -> None:
    first, second = [b"f%d" % n for n in range(6)], [b"s0", b"s1"]
    log.put(*first)
    log.put(*second, partition=1)
    moves: list[asyncio.Task[None]] = []

    async def give_away_and_take_back() -> None:
        await log.revoke(FIRST)
        await log.assign(FIRST)

    def troubles() -> Iterator[None]:
        # The first batch, all of the first partition, is in hand, and the second one, of both, was read ahead.
        moves.append(asyncio.create_task(give_away_and_take_back()))
        yield
        # The second one fails as well, and while it waits the partition is placed anew.
        yield

    trouble = troubles()

    def fail_twice() -> None:
        for _ in trouble:
            raise StoreUnavailable("away")

    sink.before = fail_twice

    await make(limit=4).run()
    await asyncio.gather(*moves)

    assert sorted(await written(store)) == sorted(first + second)
