"""Promise 1, 202 means durable: power cuts at any moment lose nothing that was promised, and halve nothing.

The log and the ledger run on a disk that keeps what was not synced apart (`power`). Between two of its operations,
chosen at random, an image is taken of what a power cut would leave. Each image is then opened as after a reboot.
"""

from collections.abc import Callable, Sequence
from itertools import count
from pathlib import Path
from random import Random

import apsw
import pytest

from tests.chaos.power import Disk, powered, restore
from tests.chaos.power_load import SPECS, Load, opened
from tests.chaos.power_promises import BROKEN, LOST, Breach, Cut, Promises, breaches
from tests.support.clock import ManualClock
from tocsin.eventlog.embedded import tables
from tocsin.ledger.port import Repeated
from tocsin.record import Partition, Record

_MOST_IMAGES = 60
_OPERATIONS_A_CUT = 50


class Cutter:
    """Takes images at random moments: half without anything that was not synced, half with a random part of it."""

    def __init__(self, disk: Disk, promised: Promises, random: Random) -> None:
        self.cuts: list[Cut] = []
        self._disk = disk
        self._promised = promised
        self._random = random

    def look(self) -> None:
        """Cut, or do not."""
        if self._random.random() < 1 / _OPERATIONS_A_CUT and len(self.cuts) < _MOST_IMAGES:
            promised = self._promised.so_far()  # before the image: what is promised is on the disk already
            self.cuts.append(Cut(image=self._disk.image(self._random.choice((None, self._random))), promised=promised))


async def cuts_under_load(
    directory: Path, *, seed: int, batches: int, commit_fails: Callable[[], bool] = lambda: False
) -> Sequence[Cut]:
    """Run the load on a disk of its own; return the power cuts on the way, the last one after all had ended."""
    random, clock, promised = Random(seed), ManualClock(), Promises()
    with powered() as disk:
        cutter = Cutter(disk, promised, random)
        disk.watch = cutter.look
        async with opened(directory, clock) as (log, ledger):
            disk.commit_fails = commit_fails
            await Load(log, ledger, clock, promised).run(batches=batches, random=random)
            disk.commit_fails = lambda: False
            cutter.cuts.append(Cut(image=disk.image(), promised=promised.so_far()))
    return cutter.cuts


def broken_promises(cuts: Sequence[Cut], directory: Path) -> list[Breach]:
    """Return what any of the images does not keep."""
    numbers = count()
    return [breach for cut in cuts for breach in breaches(cut, restore(cut.image, directory / f"cut-{next(numbers)}"))]


def with_pragmas(monkeypatch: pytest.MonkeyPatch, *pragmas: str) -> None:
    """Have the log opened with other pragmas than its own."""
    opening = tables.open_writing

    def open_writing(path: str) -> apsw.Connection:
        connection = opening(path)
        for pragma in pragmas:
            connection.execute(f"PRAGMA {pragma}")
        return connection

    monkeypatch.setattr(tables, "open_writing", open_writing)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("pages", [4000, 30], ids=["as configured", "many checkpoints"])
async def test_a_power_cut_loses_nothing_that_was_promised(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pages: int, *, long: bool
) -> None:
    with_pragmas(monkeypatch, f"wal_autocheckpoint = {pages}")
    for seed in range(25 if long else 2):
        directory = tmp_path / str(seed)
        directory.mkdir()
        cuts = await cuts_under_load(directory / "data", seed=seed, batches=300)

        assert len(cuts) > 20
        assert broken_promises(cuts, directory) == [], f"seed {seed}"
        for number, cut in enumerate(cuts[:: len(cuts) // 4]):
            await goes_on(restore(cut.image, directory / f"again-{number}"), cut.promised)


async def goes_on(directory: Path, promised: Promises) -> None:
    """Check that a gateway starts there, knows the keys that it answered, and gives no offset twice."""
    clock = ManualClock()
    async with opened(directory, clock) as (log, ledger):
        if promised.accepted:
            again = promised.accepted[-20:]
            assert await ledger.submit(again) == [Repeated(answer=each.answer) for each in again]
        ends: dict[Partition, int] = {}
        for each in promised.seen:
            partition = Partition(each.topic, each.partition)
            ends[partition] = max(ends.get(partition, 0), each.offset + 1)
        assert {p: log.tail(p) for p, end in ends.items() if log.tail(p) < end} == {}
        async with log.publisher() as publisher:
            await publisher.write([Record(topic=spec.name, key=None, value=b"new") for spec in SPECS for _ in "ab"])


async def test_commits_that_fail_lose_nothing_that_was_promised(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a failed sync did not write, Linux takes for written: SQLite has to write it again."""
    with_pragmas(monkeypatch, "wal_autocheckpoint = 30")
    fate = Random(5)
    cuts = await cuts_under_load(tmp_path / "data", seed=5, batches=200, commit_fails=lambda: fate.random() < 0.05)

    assert broken_promises(cuts, tmp_path) == []


async def test_without_syncs_the_same_cuts_lose_what_was_promised(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The proof that these tests can fail."""
    with_pragmas(monkeypatch, "synchronous = OFF")
    cuts = await cuts_under_load(tmp_path / "data", seed=0, batches=200)

    assert any(breach.kind in (LOST, BROKEN) for breach in broken_promises(cuts, tmp_path))


async def test_syncs_at_checkpoints_alone_lose_what_was_promised_and_break_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`synchronous = NORMAL`, which many use with a WAL: intact and not durable. It is FULL that keeps the promise."""
    with_pragmas(monkeypatch, "synchronous = NORMAL", "wal_autocheckpoint = 30")
    cuts = await cuts_under_load(tmp_path / "data", seed=0, batches=200)
    found = broken_promises(cuts, tmp_path)

    assert {breach.kind for breach in found} == {LOST}
