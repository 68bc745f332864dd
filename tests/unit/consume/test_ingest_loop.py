"""The loop between the log and SQL: rows and offsets never part, one bad record stops nobody, nothing is lost."""

import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest
from loguru import logger
from sqlalchemy import Column, Integer, LargeBinary, MetaData, Table, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from tests.unit.consume.scripted_log import TOPIC, HurryingClock, ScriptedLog
from tocsin.consume.ingest import Ingest
from tocsin.errors import CommitFenced, LogUnavailable, StoreUnavailable
from tocsin.observe.metrics import Metrics
from tocsin.record import Partition, Received
from tocsin.store import offsets, tables
from tocsin.store.engine import Store, open_store

GROUP = "tocsin.lines"
FIRST, SECOND = Partition(TOPIC, 0), Partition(TOPIC, 1)

metadata = MetaData()
lines = Table("lines", metadata, Column("id", Integer, primary_key=True), Column("value", LargeBinary))


class Crash(BaseException):
    """The process is gone."""


class LineSink:
    """A sink that is not idempotent, so that every repeat shows. It cannot write `bad`."""

    name = "lines"

    def __init__(self) -> None:
        self.sizes: list[int] = []
        self.before: Callable[[], None] = lambda: None

    def wants(self, received: Received) -> bool:
        return received.value != b"unwanted"

    async def write(self, connection: AsyncConnection, batch: Sequence[Received]) -> None:
        self.before()
        self.sizes.append(len(batch))
        await connection.execute(insert(lines), [{"value": record.value} for record in batch])
        if any(record.value.startswith(b"bad") for record in batch):
            raise ValueError("cannot take secret@example.test")


class FailingStore:
    """A store of which some writes, or reads, fail first."""

    def __init__(self, store: Store, *, writes: int = 0, reads: int = 0) -> None:
        self._store = store
        self._writes = writes
        self._reads = reads

    def write(self) -> AbstractAsyncContextManager[AsyncConnection]:
        self._writes -= 1
        return self._store.write() if self._writes < 0 else _Away()

    def read(self) -> AbstractAsyncContextManager[AsyncConnection]:
        self._reads -= 1
        return self._store.read() if self._reads < 0 else _Away()


class _Away:
    async def __aenter__(self) -> AsyncConnection:
        raise StoreUnavailable("disk full")

    async def __aexit__(self, *_: object) -> None:
        raise NotImplementedError


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    async with open_store(f"sqlite:///{tmp_path / 'store.db'}") as opened:
        async with opened.write() as connection:
            await connection.run_sync(tables.metadata.create_all)
            await connection.run_sync(metadata.create_all)
        yield opened


@pytest.fixture
def log() -> ScriptedLog:
    return ScriptedLog()


@pytest.fixture
def sink() -> LineSink:
    return LineSink()


@pytest.fixture
def clock() -> HurryingClock:
    return HurryingClock()


@pytest.fixture
def metrics() -> Metrics:
    return Metrics(version="test")


@pytest.fixture
def make(
    log: ScriptedLog, store: Store, sink: LineSink, clock: HurryingClock, metrics: Metrics
) -> Callable[..., Ingest]:
    """Make a loop that stops by itself once everything is read."""

    def made(**changes: Any) -> Ingest:
        given = {"store": store, "sink": sink, "limit": 100, **changes}
        ingest = Ingest(name="lines", topics=[TOPIC], group=GROUP, log=log, metrics=metrics, clock=clock, **given)
        log.on_idle = ingest.stop
        return ingest

    return made


async def written(store: Store) -> list[bytes]:
    async with store.read() as connection:
        return list(await connection.scalars(select(lines.c.value).order_by(lines.c.id)))


async def kept(store: Store) -> dict[int, int]:
    columns = tables.consumer_offsets.c
    async with store.read() as connection:
        found = await connection.execute(select(columns.partition_index, columns.next_offset))
        return {row.partition_index: row.next_offset for row in found}


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
