"""The ledger in PostgreSQL: several processes at once, and crashes between what PostgreSQL has and what the log has.

A process that crashes is a ledger that is left as it is, with another one opened beside it.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from msgspec.structs import replace as changed
from sqlalchemy import text

from tests.support import postgres
from tests.support.clock import ManualClock
from tests.support.logs import NOW, embedded_config, reading
from tests.support.postgres import Server, database, databases, own_server
from tocsin import ids
from tocsin.clock import Clock, to_ms
from tocsin.errors import LogError, LogFull, LogUnavailable
from tocsin.eventlog.embedded.log import open_log
from tocsin.eventlog.port import EventLog, Publisher
from tocsin.ledger.port import (
    Accepted,
    AttemptKey,
    Forked,
    Granted,
    InProgress,
    Repeated,
    Settled,
    Settlement,
    Submission,
    SubmitClaim,
)
from tocsin.ledger.postgres import PostgresLedger, PostgresLedgerConfig, open_ledger
from tocsin.lifecycle import State
from tocsin.observe.metrics import Metrics
from tocsin.record import Record, Source
from tocsin.runtime.clock import SystemClock
from tocsin.store.engine import Store, open_store
from tocsin.store.migrate import upgrade
from tocsin.topics import TopicSpec

__all__ = ["database", "databases", "own_server"]

pytestmark = postgres.GROUP

TOPIC = "notifications.test"
DELIVERY = "dlv_" + "0" * 26
KEY = AttemptKey(DELIVERY, 0, 1)
HERE, THERE = Source("notifications.email", 1, 2), Source("notifications.email", 1, 3)
LEASE = timedelta(seconds=90)
SUBMIT_LEASE = timedelta(seconds=15)
CONFIG = PostgresLedgerConfig(lease=LEASE, submit_lease=SUBMIT_LEASE, patience=timedelta())


class Gone(Exception):
    """The process ends here."""


@dataclass
class Torn:
    """A publisher that fails as it is told to: before it writes, or after."""

    publisher: Publisher
    before: list[Exception] = field(default_factory=list)
    after: list[Exception] = field(default_factory=list)

    async def write(self, records: Sequence[Record]) -> None:
        if self.before:
            raise self.before.pop()
        await self.publisher.write(records)
        if self.after:
            raise self.after.pop()


@dataclass(frozen=True, kw_only=True)
class Gateways:
    """One log and one database, and any number of processes that use them."""

    log: EventLog
    url: str
    clock: Clock
    stack: AsyncExitStack
    config: PostgresLedgerConfig = CONFIG

    async def store(self) -> Store:
        return await self.stack.enter_async_context(open_store(self.url))

    async def start(self) -> tuple[PostgresLedger, Torn]:
        """Start a process; return its ledger and its way to the log."""
        publisher = Torn(await self.stack.enter_async_context(self.log.publisher()))
        opened = open_ledger(
            store=await self.store(),
            log=self.log,
            publisher=publisher,
            clock=self.clock,
            config=self.config,
            owner=uuid4().hex,
            now_ms=self.now_ms,
        )
        return await self.stack.enter_async_context(opened), publisher

    def now_ms(self) -> int | None:
        return to_ms(self.clock.now()) if isinstance(self.clock, ManualClock) else None

    async def written(self) -> list[bytes]:
        """Return everything in the topic so far."""
        found: list[bytes] = []
        async with reading(self.log, TOPIC, group="look") as subscription:
            await subscription.seek(dict.fromkeys(subscription.assigned, 0))
            while records := await subscription.fetch(limit=1000, wait=NOW):
                found.extend(each.value for each in records)
        return found


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as opened:
        yield opened


async def gateways(stack: AsyncExitStack, url: str, directory: Path, clock: Clock) -> Gateways:
    config = embedded_config(directory)
    log = await stack.enter_async_context(open_log(config, clock=clock, metrics=Metrics(version="test")))
    await log.ensure_topics([TopicSpec(name=TOPIC, kind="delivery")])
    return Gateways(log=log, url=url, clock=clock, stack=stack)


@pytest.fixture
async def made(stack: AsyncExitStack, database: str, tmp_path: Path, clock: ManualClock) -> Gateways:
    """Return processes by a clock that moves when told."""
    return await gateways(stack, database, tmp_path, clock)


@pytest.fixture
async def real(stack: AsyncExitStack, database: str, tmp_path: Path) -> Gateways:
    """Return processes by the clocks of this machine and of the database."""
    return await gateways(stack, database, tmp_path, SystemClock())


def record(value: bytes) -> Record:
    return Record(topic=TOPIC, key=b"k", value=value)


def retrying(value: bytes = b"retry", *, source: Source = HERE, key: AttemptKey = KEY) -> Settlement:
    return Settlement(source=source, records=(record(value),), key=key, life=(key.delivery_id, key.life))


def expired(value: bytes = b"expired", *, source: Source = HERE) -> Settlement:
    return Settlement(source=source, records=(record(value),), life=(DELIVERY, 0), terminal=State.EXPIRED)


def submission(value: bytes, now: datetime, *, key: str = "k", body: bytes = b"body") -> Submission:
    claim = SubmitClaim(tenant="t", key=key, fingerprint=body, expires_at=now + timedelta(hours=1))
    return Submission(records=(record(value),), answer=b"answer to " + value, claim=claim)


async def test_a_claim_of_a_living_process_holds_until_its_lease_ends(made: Gateways, clock: ManualClock) -> None:
    one, _ = await made.start()
    other, _ = await made.start()
    await one.claim(KEY, HERE, durable=False)
    assert await other.claim(KEY, THERE, durable=True) == Forked()
    again = asyncio.ensure_future(other.claim(KEY, HERE, durable=True))
    await asyncio.wait({again}, timeout=0.1)
    clock.advance(LEASE - timedelta(milliseconds=1))
    await asyncio.wait({again}, timeout=0.1)
    assert not again.done()
    clock.advance(timedelta(seconds=1))

    assert await again == Granted(takeovers=1)
    assert not await one.settle(retrying(source=THERE))


async def test_a_claim_that_waits_hears_when_the_other_process_settles(made: Gateways, clock: ManualClock) -> None:
    one, _ = await made.start()
    other, _ = await made.start()
    await one.claim(KEY, HERE, durable=True)
    again = asyncio.ensure_future(other.claim(KEY, HERE, durable=True))
    await asyncio.wait({again}, timeout=0.1)
    assert await one.settle(retrying())
    clock.advance(timedelta(seconds=5))

    assert await again == Settled()


async def test_a_lease_is_measured_by_the_databases_clock(real: Gateways) -> None:
    quick = replace(real, config=PostgresLedgerConfig(lease=timedelta(seconds=0.4)))
    one, _ = await quick.start()
    other, _ = await quick.start()
    await one.claim(KEY, HERE, durable=True)
    asked = asyncio.get_running_loop().time()

    assert await other.claim(KEY, HERE, durable=True) == Granted(takeovers=1)
    assert asyncio.get_running_loop().time() - asked > 0.3


async def test_of_many_claims_in_two_processes_one_is_granted(made: Gateways) -> None:
    ledgers = [(await made.start())[0] for _ in range(2)]
    answers = await asyncio.gather(
        *(ledgers[n % 2].claim(KEY, Source("t", 0, n), durable=bool(n % 3)) for n in range(40))
    )

    assert answers.count(Granted()) == 1
    assert answers.count(Forked()) == 39


async def test_of_many_ends_in_two_processes_one_has_effect(made: Gateways) -> None:
    ledgers = [(await made.start())[0] for _ in range(3)]
    for life in range(20):
        ends = [
            changed(expired(b"%d/%d" % (life, n), source=Source("t", 0, n)), life=(DELIVERY, life)) for n in range(9)
        ]
        effective = await asyncio.gather(*(ledgers[n % 3].settle(end) for n, end in enumerate(ends)))
        assert sum(effective) == 1

    assert len(await made.written()) == 20


async def test_the_claims_of_a_process_that_ends_in_order_are_free_at_once(made: Gateways) -> None:
    async with AsyncExitStack() as process:
        ending, _ = await replace(made, stack=process).start()
        await ending.claim(KEY, HERE, durable=True)
    other, _ = await made.start()

    assert await other.claim(KEY, HERE, durable=True) == Granted(takeovers=1)


async def test_a_submit_in_two_processes_at_once_is_one(real: Gateways) -> None:
    patient = replace(real, config=replace(real.config, patience=timedelta(seconds=5)))
    ledgers = [(await patient.start())[0] for _ in range(2)]
    now = real.clock.now()

    async def submit(number: int) -> object:
        [answer] = await ledgers[number % 2].submit([submission(b"%d" % number, now)])
        return answer

    answers = await asyncio.gather(*map(submit, range(100)))
    first = answers.index(Accepted())

    assert answers.count(Accepted()) == 1
    assert answers.count(Repeated(answer=b"answer to %d" % first)) == 99
    assert await real.written() == [b"%d" % first]


async def test_batches_that_share_keys_in_two_processes_do_not_wait_for_each_other(real: Gateways) -> None:
    patient = replace(real, config=replace(real.config, patience=timedelta(seconds=5)))
    ledgers = [(await patient.start())[0] for _ in range(2)]
    now = real.clock.now()
    batch = [submission(b"%d" % n, now, key=f"{n}") for n in range(50)]
    answers = await asyncio.gather(
        ledgers[0].submit(batch),
        ledgers[1].submit(batch[::-1]),
        ledgers[0].submit(batch[20:]),
        ledgers[1].submit(batch),
    )
    flat = [answer for each in answers for answer in each]

    assert flat.count(Accepted()) == 50
    assert sum(isinstance(answer, Repeated) for answer in flat) == 130
    assert sorted(await real.written()) == sorted(b"%d" % n for n in range(50))


@pytest.mark.parametrize("landed", [False, True])
async def test_a_submit_that_was_cut_off_is_completed_by_its_repeat(
    made: Gateways, clock: ManualClock, monkeypatch: pytest.MonkeyPatch, landed: bool
) -> None:
    """The repeat comes with ids of its own; what was claimed first is what is written, and answered."""
    crashing, publisher = await made.start()
    (publisher.after if landed else publisher.before).append(Gone())
    monkeypatch.setattr(crashing._intake._batches, "tell", lambda _: None)  # It is gone by then.
    with pytest.raises(Gone):
        await crashing.submit([submission(b"first", clock.now())])
    other, _ = await made.start()
    assert await other.submit([submission(b"second", clock.now())]) == [InProgress()]
    clock.advance(SUBMIT_LEASE)

    assert await other.submit([submission(b"third", clock.now())]) == [Repeated(answer=b"answer to first")]
    assert await other.submit([submission(b"fourth", clock.now())]) == [Repeated(answer=b"answer to first")]
    assert await made.written() == [b"first"] * (2 if landed else 1)


async def test_a_submit_that_the_log_refused_is_completed_by_the_next_without_waiting(
    made: Gateways, clock: ManualClock
) -> None:
    ledger, publisher = await made.start()
    publisher.before.append(LogUnavailable("no"))
    with pytest.raises(LogUnavailable):
        await ledger.submit([submission(b"first", clock.now())])

    assert await ledger.submit([submission(b"second", clock.now())]) == [Repeated(answer=b"answer to first")]
    assert await made.written() == [b"first"]


async def test_submits_that_wait_for_one_that_fails_are_served_by_the_next(made: Gateways, clock: ManualClock) -> None:
    patient = replace(made, config=replace(made.config, patience=timedelta(seconds=5)))
    ledger, publisher = await patient.start()
    publisher.before.append(LogUnavailable("no"))
    answers = await asyncio.gather(
        *(ledger.submit([submission(b"%d" % n, clock.now())]) for n in range(5)), return_exceptions=True
    )

    assert isinstance(answers[0], LogUnavailable)
    assert answers[1:] == [[Repeated(answer=b"answer to 0")]] * 4
    assert await made.written() == [b"0"]


async def test_a_log_that_takes_no_new_work_takes_no_submit(
    made: Gateways, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger, _ = await made.start()
    full = replace(made.log.health(), accepting=False, detail="too much")
    monkeypatch.setattr(made.log, "health", lambda: full)
    with pytest.raises(LogFull, match="too much"):
        await ledger.submit([submission(b"a", clock.now())])


@pytest.mark.parametrize("landed", [False, True])
async def test_the_records_of_a_settlement_that_was_cut_off_are_written_when_its_source_comes_again(
    made: Gateways, landed: bool
) -> None:
    crashing, publisher = await made.start()
    await crashing.claim(KEY, HERE, durable=False)
    (publisher.after if landed else publisher.before).append(Gone())
    with pytest.raises(Gone):
        await crashing.settle(retrying())
    other, _ = await made.start()
    assert await other.claim(KEY, THERE, durable=True) == Forked()

    assert await other.claim(KEY, HERE, durable=True) == Settled()
    await other._settlements.close()  # the note that the log has it is gathered with others
    assert await other.claim(KEY, HERE, durable=True) == Settled()
    assert await made.written() == [b"retry"] * (2 if landed else 1)


async def test_an_end_without_an_attempt_that_was_cut_off_is_completed_by_the_same_source_only(made: Gateways) -> None:
    crashing, publisher = await made.start()
    publisher.before.append(Gone())
    with pytest.raises(Gone):
        await crashing.settle(expired(b"first"))
    other, _ = await made.start()

    assert not await other.settle(expired(b"fork", source=THERE))
    assert await other.settle(expired(b"second"))
    assert not await other.settle(expired(b"third"))
    assert await made.written() == [b"first"]


async def test_a_settlement_that_was_cut_off_is_completed_before_another_end_of_its_source(made: Gateways) -> None:
    """Read again after its expiry, a record ends otherwise than it was settled; the attempt's event is not lost."""
    crashing, publisher = await made.start()
    publisher.before.append(Gone())
    with pytest.raises(Gone):
        await crashing.settle(retrying())
    other, _ = await made.start()

    assert await other.settle(expired())
    assert await made.written() == [b"retry", b"expired"]


async def test_a_settlement_that_the_log_refused_may_be_given_again(made: Gateways) -> None:
    ledger, publisher = await made.start()
    await ledger.claim(KEY, HERE, durable=True)
    publisher.before.extend([LogUnavailable("no"), LogUnavailable("no")])
    for _ in range(2):
        with pytest.raises(LogUnavailable):
            await ledger.settle(retrying())

    assert await ledger.settle(retrying())
    assert not await ledger.settle(retrying())
    assert await made.written() == [b"retry"]


async def test_what_the_log_will_never_take_settles_nothing_and_keeps_no_key(
    made: Gateways, clock: ManualClock
) -> None:
    ledger, publisher = await made.start()
    await ledger.claim(KEY, HERE, durable=True)
    publisher.before.extend([LogError("too large"), LogError("too large")])
    with pytest.raises(LogError, match="too large"):
        await ledger.settle(retrying(b"large"))
    with pytest.raises(LogError, match="too large"):
        await ledger.submit([submission(b"large", clock.now())])

    assert await ledger.settle(retrying(b"small"))
    assert await ledger.submit([submission(b"new", clock.now(), body=b"other")]) == [Accepted()]
    assert await made.written() == [b"small", b"new"]


async def test_what_concerns_no_life_needs_no_database(made: Gateways) -> None:
    ledger, _ = await made.start()
    undecodable = Settlement(source=HERE, records=(record(b"dead"),))

    assert await ledger.settle(undecodable)
    assert await made.written() == [b"dead"]


async def test_one_that_cannot_be_kept_does_not_fail_its_neighbours(made: Gateways) -> None:
    ledger, _ = await made.start()
    found = await asyncio.gather(
        *(ledger.claim(AttemptKey(name, 0, 1), HERE, durable=True) for name in ("dlv_a", "dlv_\0", "dlv_b")),
        *(ledger.settle(retrying(key=AttemptKey(name, 0, 1))) for name in ("dlv_c", "dlv_\udcff", "dlv_d")),
        return_exceptions=True,
    )

    assert [found[0], found[2], found[3], found[5]] == [Granted(), Granted(), True, True]
    assert isinstance(found[1], Exception)
    assert isinstance(found[4], Exception)


async def test_a_thousand_at_once_are_a_few_transactions(made: Gateways, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger, _ = await made.start()
    opened = 0

    def counted(open_: Callable[[], Any]) -> Callable[[], Any]:
        def count() -> Any:
            nonlocal opened
            opened += 1
            return open_()

        return count

    for name in ("write", "statements"):
        monkeypatch.setattr(ledger._store, name, counted(getattr(ledger._store, name)))
    keys = [AttemptKey(f"dlv_{number}", 0, 1) for number in range(1000)]
    claimed = await asyncio.gather(*(ledger.claim(key, HERE, durable=False) for key in keys))
    settled = await asyncio.gather(*(ledger.settle(retrying(key=key)) for key in keys))

    assert claimed == [Granted()] * 1000
    assert all(settled)
    assert opened < 20


@pytest.fixture
async def fragile(stack: AsyncExitStack, own_server: Server, tmp_path: Path, clock: ManualClock) -> Gateways:
    """Return processes on a server of the test's own."""
    async with open_store(own_server.url) as store:
        await upgrade(store)
    return await gateways(stack, own_server.url, tmp_path, clock)


async def test_a_crash_of_the_server_costs_nothing_that_was_settled(fragile: Gateways, own_server: Server) -> None:
    ledger, _ = await fragile.start()
    now = fragile.clock.now()
    await ledger.claim(KEY, HERE, durable=True)
    assert await ledger.settle(retrying())
    await ledger._settlements.close()
    second = AttemptKey(DELIVERY, 0, 2)
    await ledger.claim(second, THERE, durable=False)
    own_server.crash()
    with pytest.raises(LogUnavailable):
        await ledger.settle(retrying(b"second", key=second, source=THERE))
    with pytest.raises(LogUnavailable):
        await ledger.claim(AttemptKey(DELIVERY, 1, 1), HERE, durable=True)
    with pytest.raises(LogUnavailable):
        await ledger.submit([submission(b"a", now)])
    with pytest.raises(LogUnavailable):
        await ledger.forget(older_than=timedelta(days=1))
    assert await fragile.written() == [b"retry"]
    own_server.start()

    # Whether that claim was kept or not, it is this process's own, and no takeover.
    assert await ledger.claim(AttemptKey(DELIVERY, 1, 1), HERE, durable=True) == Granted(takeovers=0)
    assert await ledger.settle(retrying(b"second", key=second, source=THERE))
    assert await ledger.claim(KEY, HERE, durable=True) == Settled()
    assert await ledger.submit([submission(b"a", now)]) == [Accepted()]
    assert await fragile.written() == [b"retry", b"second", b"a"]


async def test_a_server_that_goes_between_the_log_and_the_note_takes_nothing_back(
    fragile: Gateways, own_server: Server
) -> None:
    ledger, publisher = await fragile.start()
    inner = publisher.publisher

    class Crashing:
        async def write(self, records: Sequence[Record]) -> None:
            await inner.write(records)
            own_server.crash()

    publisher.publisher = Crashing()
    assert await ledger.settle(retrying())
    await ledger._settlements.close()
    own_server.start()
    publisher.publisher = inner

    # The note is lost, so the same records come once more where the source comes again.
    assert await ledger.claim(KEY, HERE, durable=True) == Settled()
    await ledger._settlements.close()
    assert await ledger.claim(KEY, HERE, durable=True) == Settled()
    assert await fragile.written() == [b"retry", b"retry"]


async def test_what_is_over_is_forgotten_in_bounded_steps_by_any_number(made: Gateways, clock: ManualClock) -> None:
    ledgers = [(await made.start())[0] for _ in range(2)]
    old = ids.lowest(ids.DELIVERY, clock.now())
    keys = [AttemptKey(f"{old}{number:04}", 0, 1) for number in range(1500)]
    await asyncio.gather(*(ledgers[0].claim(key, HERE, durable=False) for key in keys))
    await ledgers[0].submit([submission(b"a", clock.now(), key=f"{number}") for number in range(1500)])
    clock.advance(timedelta(days=2))
    await ledgers[0].claim(KEY._replace(delivery_id=ids.lowest(ids.DELIVERY, clock.now())), HERE, durable=True)
    await ledgers[0].submit([submission(b"a", clock.now(), key="young")])

    both = await asyncio.gather(*(ledger.forget(older_than=timedelta(days=1)) for ledger in ledgers))
    assert all(gone <= 2000 for gone in both)
    assert sum(both) + await ledgers[1].forget(older_than=timedelta(days=1)) == 3000
    store = await made.store()
    async with store.read() as connection:
        for table in ("ledger_attempts", "ledger_submits"):
            assert await connection.scalar(text(f"SELECT count(*) FROM {table}")) == 1
