"""The loop between the log and SQL: rows and offsets never part, and nothing is lost or repeated."""

from collections.abc import Callable

import pytest

from tests.unit.consume.line_sink import (
    FIRST,
    SECOND,
    Crash,
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
from tests.unit.consume.scripted_log import HurryingClock, ScriptedLog
from tocsin.consume.ingest import Ingest
from tocsin.observe.metrics import Metrics
from tocsin.store import offsets
from tocsin.store.engine import Store

__all__ = ["clock", "log", "make", "metrics", "sink", "store"]


async def test_records_become_rows_and_both_sides_know_how_far(
    make: Callable[..., Ingest], log: ScriptedLog, store: Store, metrics: Metrics
) -> None:
    log.put(b"a", b"b", first=5)
    log.put(b"c", partition=1)
    seen: list[bytes] = []

    await make(on_committed=lambda batch: seen.extend(record.value for record in batch)).run()

    # Between partitions there is no order.
    assert sorted(await written(store)) == [b"a", b"b", b"c"]
    assert await kept(store) == {0: 7, 1: 1}
    assert log.committed == {FIRST: 7, SECOND: 1}
    assert sorted(seen) == [b"a", b"b", b"c"]
    assert metrics.registry.get_sample_value("tocsin_ingested_total", {"sink": "lines"}) == 3


async def test_a_stop_before_the_run_is_not_lost(make: Callable[..., Ingest], log: ScriptedLog, store: Store) -> None:
    log.put(b"a")
    ingest = make()
    ingest.stop()
    ingest.stop()

    await ingest.run()

    assert await written(store) == []


async def test_a_stop_lets_the_log_wait_no_more(make: Callable[..., Ingest], log: ScriptedLog) -> None:
    ingest = make()
    assert not log.hurried

    await ingest.run()

    assert log.hurried


async def test_a_crash_between_the_rows_and_the_offsets_keeps_neither(
    make: Callable[..., Ingest], log: ScriptedLog, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def crash(*_: object) -> None:
        raise Crash

    log.put(b"a", b"b")
    with monkeypatch.context() as patched:
        patched.setattr(offsets, "advance", crash)
        with pytest.raises(Crash):
            await make().run()

    assert await written(store) == []
    assert await kept(store) == {}

    await make().run()

    assert await written(store) == [b"a", b"b"]


async def test_a_crash_between_the_store_and_the_log_repeats_nothing(
    make: Callable[..., Ingest], log: ScriptedLog, store: Store
) -> None:
    log.put(b"a", b"b")
    log.commit_errors.append(Crash())
    with pytest.raises(Crash):
        await make().run()
    assert await kept(store) == {0: 2}
    assert log.committed == {}

    log.put(b"c")
    await make().run()

    assert await written(store) == [b"a", b"b", b"c"]
    assert log.committed == {FIRST: 3}


async def test_the_log_hears_of_offsets_that_a_crash_kept_from_it_though_nothing_new_comes(
    make: Callable[..., Ingest], log: ScriptedLog
) -> None:
    log.put(b"a", b"b")
    log.commit_errors.append(Crash())
    with pytest.raises(Crash):
        await make().run()

    await make().run()

    assert log.committed == {FIRST: 2}


async def test_a_store_that_is_older_than_the_log_knows_reads_again(
    make: Callable[..., Ingest], log: ScriptedLog, store: Store
) -> None:
    """The store came from a backup: what the log was told is not what the store has."""
    log.put(b"a")
    await make().run()
    log.put(b"b", b"c")
    log.committed = {FIRST: 3}

    await make().run()

    assert await written(store) == [b"a", b"b", b"c"]


async def test_a_partition_that_was_taken_away_is_not_written_and_comes_back_where_its_owner_left_it(
    make: Callable[..., Ingest], log: ScriptedLog, store: Store
) -> None:
    log.put(b"a", b"b")
    log.put(b"c", partition=1)
    ingest = make(store=FailingStore(store, writes=1))
    handed_over = False
    original = ingest._trouble.met

    async def failed(error: Exception) -> None:
        nonlocal handed_over
        if not handed_over:
            handed_over = True
            await log.revoke(FIRST)
        await original(error)

    ingest._trouble.met = failed  # type: ignore[method-assign] # the moment between two tries

    await ingest.run()

    assert await written(store) == [b"c"]
    assert log.committed == {SECOND: 1}
    await make().run()
    assert await written(store) == [b"c", b"a", b"b"]


async def test_a_partition_that_comes_amid_a_fetch_is_placed_before_its_first_record_is_taken(
    make: Callable[..., Ingest], log: ScriptedLog, store: Store
) -> None:
    log.put(b"a")
    log.put(b"b", partition=1)
    log.arriving = {SECOND}

    await make().run()

    assert await written(store) == [b"a", b"b"]


async def test_a_trickle_is_gathered_and_a_flood_is_not_held_up(
    make: Callable[..., Ingest], log: ScriptedLog, clock: HurryingClock, sink: LineSink
) -> None:
    log.put(*[b"x"] * 5)

    await make(limit=2).run()

    assert sink.sizes == [2, 2, 1]
    assert clock.pauses == [0.05]


async def test_what_nobody_wants_is_passed_without_a_transaction(
    make: Callable[..., Ingest], log: ScriptedLog, store: Store, sink: LineSink, metrics: Metrics
) -> None:
    log.put(b"unwanted", b"unwanted")
    await make().run()

    assert sink.sizes == []
    assert await kept(store) == {}
    assert log.committed == {FIRST: 2}
    # Else a sink that has nothing to store would look like one that is halted.
    assert metrics.registry.get_sample_value("tocsin_ingested_total", {"sink": "lines"}) == 2


async def test_what_is_wanted_takes_the_offsets_of_what_is_not_with_it(
    make: Callable[..., Ingest], log: ScriptedLog, store: Store, sink: LineSink
) -> None:
    log.put(b"unwanted", b"a", b"unwanted")
    await make().run()

    assert sink.sizes == [1]
    assert await written(store) == [b"a"]
    assert await kept(store) == {0: 3}


async def test_a_new_log_under_an_old_store_is_read_from_its_beginning(
    make: Callable[..., Ingest], log: ScriptedLog, store: Store
) -> None:
    log.put(b"a", b"b", b"c")
    await make().run()
    log.identity = "another"
    log.records.clear()
    log.committed.clear()
    log.positions.clear()
    log.put(b"d")
    await make().run()

    assert await written(store) == [b"a", b"b", b"c", b"d"]
