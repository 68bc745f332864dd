"""The loop between the log and SQL in trouble: one bad record stops nobody, what is away is waited for."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from loguru import logger
from sqlalchemy import select

from tests.unit.consume.line_sink import (
    FIRST,
    FailingStore,
    LineSink,
    clock,
    kept,
    log,
    make,
    metrics,
    sink,
    store,
    written,
)
from tests.unit.consume.scripted_log import TOPIC, HurryingClock, ScriptedLog
from tocsin.consume.ingest import Ingest
from tocsin.errors import CommitFenced, LogUnavailable
from tocsin.observe.metrics import Metrics
from tocsin.store import tables
from tocsin.store.engine import Store

__all__ = ["clock", "log", "make", "metrics", "sink", "store"]


async def test_a_log_that_will_not_be_told_is_told_the_next_time(
    make: Callable[..., Ingest], log: ScriptedLog, store: Store
) -> None:
    log.put(b"a", b"b")
    log.commit_errors += [CommitFenced("not yours"), LogUnavailable("disk full")]

    await make(limit=1).run()

    assert await written(store) == [b"a", b"b"]
    log.put(b"c")
    await make().run()
    assert log.committed == {FIRST: 3}


@pytest.mark.parametrize("bad", [0, 1, 6, 12])
async def test_one_bad_record_is_set_aside_and_all_others_are_written_once(
    make: Callable[..., Ingest], log: ScriptedLog, store: Store, metrics: Metrics, bad: int
) -> None:
    values = [f"good {number}".encode() for number in range(13)]
    values[bad] = b"bad \xff\x00"
    log.put(*values, key=b"\xfe")
    told: list[str] = []
    handler = logger.add(told.append, format="{message} {extra}")

    await make().run()
    logger.remove(handler)

    assert await written(store) == [value for value in values if not value.startswith(b"bad")]
    assert await kept(store) == {0: 13}
    assert log.committed == {FIRST: 13}
    async with store.read() as connection:
        [row] = (await connection.execute(select(tables.quarantine))).all()
    assert (row.sink, row.topic, row.partition, row.offset) == ("lines", TOPIC, 0, bad)
    assert (row.key, row.value) == (b"\xfe", b"bad \xff\x00")
    assert json.loads(row.headers) == [["ce_id", "/w=="]]
    assert row.error == "ValueError: cannot take secret@example.test"
    assert metrics.registry.get_sample_value("tocsin_ingest_quarantined_total", {"sink": "lines"}) == 1
    [line] = [line for line in told if "record_quarantined" in line]
    assert f"{TOPIC}/0/{bad}" in line
    assert "secret" not in line


async def test_a_batch_of_nothing_but_bad_records_is_passed(
    make: Callable[..., Ingest], log: ScriptedLog, store: Store
) -> None:
    log.put(*[b"bad"] * 5)

    await make().run()

    assert await written(store) == []
    assert await kept(store) == {0: 5}


async def test_a_store_that_is_away_is_waited_for_with_the_batch_in_hand(
    make: Callable[..., Ingest], log: ScriptedLog, store: Store, clock: HurryingClock, sink: LineSink
) -> None:
    log.put(b"a", b"bad", b"c")
    ingest = make(store=FailingStore(store, writes=7))
    health: list[tuple[bool, str]] = []
    log.on_fetch = lambda: health.append((ingest.healthy, ingest.detail))
    sink.before = lambda: health.append((ingest.healthy, ingest.detail))

    await ingest.run()

    assert await written(store) == [b"a", b"c"]
    assert clock.pauses[:7] == [0.5, 1, 2, 4, 8, 10, 10]
    assert health[0] == (True, "")
    assert health[1] == (False, "disk full")
    assert health[-1] == (True, "")


async def test_a_store_that_goes_away_amid_the_halves_repeats_no_half(
    make: Callable[..., Ingest], log: ScriptedLog, store: Store, sink: LineSink
) -> None:
    log.put(b"a", b"b", b"bad", b"d")
    failing = FailingStore(store)

    def fail_at_the_third_write() -> None:
        if len(sink.sizes) == 2:
            failing._writes = 1

    sink.before = fail_at_the_third_write

    await make(store=failing).run()

    assert await written(store) == [b"a", b"b", b"d"]
    assert sink.sizes[:2] == [4, 2]


async def test_offsets_that_cannot_be_read_at_first_hold_everything_back(
    make: Callable[..., Ingest], log: ScriptedLog, store: Store
) -> None:
    log.put(b"a")
    await make().run()
    log.put(b"b")
    log.committed = {}

    await make(store=FailingStore(store, reads=3)).run()

    assert await written(store) == [b"a", b"b"]


async def test_a_stop_ends_the_waiting_for_a_store_and_loses_nothing(
    make: Callable[..., Ingest], log: ScriptedLog, store: Store
) -> None:
    log.put(b"a")
    ingest = make(store=FailingStore(store, writes=1_000_000))
    stopped_after = 20

    class Patience(HurryingClock):
        def call_at(self, *given: Any) -> Any:
            if len(self.pauses) == stopped_after:
                ingest.stop()
            return super().call_at(*given)

    ingest._stop._clock = Patience()

    await ingest.run()

    assert log.committed == {}
    await make().run()
    assert await written(store) == [b"a"]


async def test_a_log_that_cannot_be_read_is_waited_for(
    make: Callable[..., Ingest], log: ScriptedLog, store: Store, clock: HurryingClock
) -> None:
    log.put(b"a")
    log.fetch_errors += [LogUnavailable("no disk"), LogUnavailable("no disk")]

    await make().run()

    assert await written(store) == [b"a"]
    assert clock.pauses[:2] == [0.5, 1]

    log.put(b"b")
    clock.pauses.clear()
    ingest = make(limit=1)
    log.fetch_errors += [LogUnavailable("no disk"), LogUnavailable("no disk")]

    def fail_once_more() -> None:
        if ingest.healthy and not log.fetch_errors:
            log.fetch_errors.append(LogUnavailable("no disk"))
            log.on_fetch = lambda: None

    log.on_fetch = fail_once_more
    await ingest.run()

    assert await written(store) == [b"a", b"b"]
    assert clock.pauses == [0.5, 1, 0.5]
