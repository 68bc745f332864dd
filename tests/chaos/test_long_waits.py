"""Long waits: many deliveries wait in the tiers while the gateway is killed and started again. Prints its table."""

import asyncio
import re
import signal
import sqlite3
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from simulators.smtp.faults import Faults
from simulators.smtp.mailbox import Mailbox
from simulators.smtp.server import listening
from tests.chaos.waiting_room import EVENTS_EACH, WARM_UP, Room, due_times, filled
from tests.support.processes import Process, serving
from tests.support.waiting import until
from tocsin.runtime.clock import SystemClock

RESTART_SECONDS = 5.0
MEGABYTES = 200
HELD = 'tocsin_unfinished_records{group="tocsin.channels.email.normal.retry"}'
INGESTED = 'tocsin_ingested_total{sink="audit.ingest"}'


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """How many wait, how long before the first is due once they all do, and how fast they become due."""

    count: int
    lead: timedelta
    per_second: int


SHORT = Form(count=5_000, lead=timedelta(seconds=40), per_second=250)
LONG = Form(count=100_000, lead=timedelta(seconds=180), per_second=500)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A gateway while everything waits: the seconds of its start, the records held, its memory (MB), now and most."""

    start_seconds: float
    held: int
    rss: float
    peak: float


@asynccontextmanager
async def mail_server(form: Form) -> AsyncIterator[tuple[Mailbox, int]]:
    """Listen, and keep every mail with the time at which it came."""
    clock = SystemClock()
    mailbox = Mailbox(now=clock.now, max_mails=form.count + 1000, max_bytes=1 << 30)
    async with listening(mailbox=mailbox, faults=Faults(), clock=clock, host="127.0.0.1", port=0) as port:
        yield mailbox, port


@asynccontextmanager
async def started(directory: Path, *, smtp_port: int) -> AsyncIterator[tuple[Process, float]]:
    """Run the gateway; yields it with the seconds that its start took."""
    began = time.perf_counter()
    async with serving(directory, smtp_port=smtp_port) as gateway:
        yield gateway, time.perf_counter() - began


async def looked_at(gateway: Process, start_seconds: float, form: Form, *, events: int) -> Seen:
    """Return what is seen of a gateway once it holds all that it will, and its audit has read so many events.

    It holds what its windows and its budget let in; the rest waits in the log.
    """
    async with asyncio.timeout(form.lead.total_seconds()):
        held = -1.0
        while (now := await measured(gateway, HELD)) == 0 or now != held:
            held = now
            await asyncio.sleep(1)
        while await measured(gateway, INGESTED) < events:  # noqa: ASYNC110 - nothing in another process can be awaited
            await asyncio.sleep(0.1)
    status = Path(f"/proc/{gateway.process.pid}/status").read_text(encoding="ascii")
    rss, peak = (int(re.findall(rf"{name}:\s+(\d+) kB", status)[0]) / 1024 for name in ("VmRSS", "VmHWM"))
    return Seen(start_seconds=start_seconds, held=int(held), rss=rss, peak=peak)


async def measured(gateway: Process, name: str) -> float:
    """Return a metric, 0 where it is not there yet."""
    metrics = (await gateway.client.get("/metrics")).text
    return next((float(line.rpartition(" ")[2]) for line in metrics.splitlines() if line.startswith(name)), 0.0)


async def all_arrived(mailbox: Mailbox, form: Form) -> None:
    """Return once every mail is there, and a moment later for one too many."""
    await until(lambda: mailbox.total >= form.count, what="the mails", seconds=120 + form.count / 100)
    await asyncio.sleep(0.5)


def latenesses(mailbox: Mailbox, room: Room) -> list[float]:
    """Return how long after its due time each mail came (seconds), the least first."""
    return sorted((mail.at - room.due[mail.recipients[0]]).total_seconds() for mail in mailbox.newest())


def states(directory: Path) -> dict[str, int]:
    """Return how many notifications are in each state, as the store of a gateway that has ended says."""
    with closing(sqlite3.connect(directory / "data" / "store.db")) as store:
        return dict(store.execute("SELECT state, count(*) FROM notifications GROUP BY state").fetchall())


def table(form: Form, empty: float, first: Seen, again: Seen, late: list[float]) -> str:
    """Return what was measured."""
    starts = f"start {first.start_seconds:.1f} s, after SIGKILL {again.start_seconds:.1f} s (empty {empty:.1f} s)"
    memory = f"{again.held:,} held in {again.rss:.0f} MB (peak {again.peak:.0f} MB; "
    memory += f"{first.peak:.0f} MB while the audit caught up with all of it)"
    lateness = f"late p50 {late[len(late) // 2]:.3f} s, p99 {late[len(late) * 99 // 100]:.3f} s"
    return f"\n{form.count:,} waiting: {starts}; {memory}; {lateness}"


@pytest.mark.timeout(1500)
async def test_what_waits_survives_a_restart_on_time_in_little_memory(
    tmp_path: Path, request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]
) -> None:
    form = LONG if request.config.getoption("--long", default=False) else SHORT
    (tmp_path / "empty").mkdir()
    async with mail_server(form) as (mailbox, port):
        async with started(tmp_path / "empty", smtp_port=port) as (_, empty):
            pass
        room = await filled(tmp_path / "data", form.count, lead=form.lead, per_second=form.per_second)
        assert len(room.due) == form.count

        async with started(tmp_path, smtp_port=port) as (gateway, took):
            first = await looked_at(gateway, took, form, events=EVENTS_EACH * (form.count + WARM_UP))
            gateway.signal(signal.SIGKILL)
            await gateway.exit_code(within=60)
        assert await due_times(tmp_path / "data") == room.due, "a due time has changed"
        async with started(tmp_path, smtp_port=port) as (gateway, took):
            again = await looked_at(gateway, took, form, events=0)
            assert mailbox.total == 0, f"too slow a machine: the first was due at {room.opens}, before all was seen"
            await all_arrived(mailbox, form)
            gateway.signal(signal.SIGTERM)
            assert await gateway.exit_code(within=60) == 0

    late = latenesses(mailbox, room)
    with capsys.disabled():
        print(table(form, empty, first, again, late))  # noqa: T201 - these figures are what a person runs this for
    assert mailbox.by_recipient == dict.fromkeys(room.due, 1)
    assert late[0] >= 0, "one came early"
    assert states(tmp_path) == {"delivered": form.count, "retrying": WARM_UP}
    # The first gateway's audit had everything to read at once; that is printed, and is not what waiting costs.
    assert again.peak < MEGABYTES
    # What waits must not show in how long a start takes; how long one takes at all is the machine's business.
    assert again.start_seconds - empty < RESTART_SECONDS
