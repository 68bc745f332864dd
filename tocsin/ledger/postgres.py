"""The ledger in PostgreSQL, over any event log: claims and settlements there first, then their records in the log.

The two cannot be one transaction, so what is to be written stands in PostgreSQL, *owed*, until the log has it. A crash
in between leaves a debt, which is paid by whoever comes next: the same source, when its record is read again (its
offset is committed after its settlement), or a submit with the same key. Paying twice does no harm, because all ids
follow from what was accepted; so that the log has the records is noted with the next batch, which nobody waits for.

Several processes share the tables. Leases and the expiry of keys are compared by the database's clock alone, so the
gateways' clocks do not matter; a failover to a server whose clock is ahead ends leases early by as much, which the
distance between a lease and the longest attempt has to cover. Waiting is by the gateway's own clock.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

from tocsin.clock import Clock
from tocsin.errors import LogError, LogFull, LogUnavailable, StoreUnavailable
from tocsin.eventlog.port import EventLog, Publisher
from tocsin.ledger import postgres_attempts as attempts
from tocsin.ledger import postgres_sweep
from tocsin.ledger.port import AttemptKey, ClaimAnswer, Forked, Granted, Settlement, Submission, SubmitAnswer
from tocsin.ledger.postgres_attempts import Claim, Claimed, Debt, Decided, Holder, Raced
from tocsin.ledger.postgres_batches import Batches, unavailable
from tocsin.ledger.postgres_intake import Intake
from tocsin.ledger.running import RunningClaims
from tocsin.record import Source
from tocsin.store.engine import Store

# A claim of another process may be settled long before its lease ends.
_LOOK_AGAIN = timedelta(seconds=5)
# Each time another process has got further, so there is no need for many.
_RACES = 10
_ROW_BYTES = 4096
# What was sent has been sent: that it is written down a moment later delays no delivery, and spares those under way.
_GATHER = timedelta(milliseconds=20)


@dataclass(frozen=True, slots=True, kw_only=True)
class PostgresLedgerConfig:
    """How long things may take.

    `lease` is that of an attempt, and above the longest attempt. `submit_lease` is how long a submit that was cut off
    holds its key: more than a write to the log takes. `patience` is how long a submit waits for another of its key.
    """

    lease: timedelta
    submit_lease: timedelta = timedelta(seconds=15)
    patience: timedelta = timedelta(seconds=4)


def _by_the_database() -> int | None:
    return None


class PostgresLedger:
    """Fulfils `ledger.port.Ledger`. Made by `open_ledger`."""

    def __init__(
        self,
        *,
        store: Store,
        log: EventLog,
        publisher: Publisher,
        clock: Clock,
        config: PostgresLedgerConfig,
        owner: str,
        now_ms: Callable[[], int | None],
    ) -> None:
        self._store = store
        self._log = log
        self._publisher = publisher
        self._clock = clock
        self._config = config
        self._owner = owner
        self._now_ms = now_ms
        self._claims: Batches[Claim, Claimed] = Batches("ledger.claims", self._claim, weigh=lambda _: _ROW_BYTES)
        self._settlements: Batches[Settlement | AttemptKey, Decided] = Batches(
            "ledger.settlements", self._settle, weigh=_weight, gather=_GATHER
        )
        self._intake = Intake(
            store=store,
            publisher=publisher,
            clock=clock,
            patience=config.patience,
            holder=lambda: self._holder(config.submit_lease),
        )
        self._running = RunningClaims(clock, lease=config.lease)
        self._taking: set[asyncio.Future[Sequence[SubmitAnswer]]] = set()

    async def submit(self, submissions: Sequence[Submission]) -> Sequence[SubmitAnswer]:
        """See the port."""
        health = self._log.health()
        if health.writable and not health.accepting:
            raise LogFull(health.detail)
        # Whoever gives up waiting does not take back what is on its way: its key would be held until its lease ends.
        taking = asyncio.ensure_future(self._intake.submit(submissions))
        self._taking.add(taking)
        taking.add_done_callback(self._taken)
        return await asyncio.shield(taking)

    async def claim(self, key: AttemptKey, source: Source, *, durable: bool) -> ClaimAnswer:
        """See the port."""
        if not await self._running.begin(key, source):
            return Forked()
        granted = False
        try:
            answer = await self._claimed(Claim(key, source, durable))
            granted = isinstance(answer, Granted)
            return answer
        finally:
            if not granted:
                self._running.end(key, source)

    async def settle(self, settlement: Settlement) -> bool:
        """See the port. True also where an earlier call of this settlement was cut off, and this one completes it."""
        try:
            return await self._settled(settlement)
        finally:
            self._running.settled(settlement)

    async def forget(self, *, older_than: timedelta) -> int:
        """Delete up to 1,000 rows each of claims past their time and lives that ended long ago; return how many.

        Any number of processes may do so at once. Raises LogUnavailable.
        """
        before = self._clock.now() - older_than
        try:
            return await postgres_sweep.forget(self._store, before=before, now_ms=self._now_ms())
        except StoreUnavailable as error:
            raise unavailable(error) from error

    async def close(self) -> None:
        """Write down what is not yet, and give up the leases of what is not settled: nothing of this process runs on.

        Does not raise: what cannot be written now, the leases' end and a repeat make good.
        """
        await asyncio.gather(*self._taking, return_exceptions=True)
        await self._settlements.close()
        await self._intake.close()
        await self._claims.close()
        if not self._running.keys:
            return
        try:
            await attempts.release(self._store, self._running.keys, self._holder(self._config.lease))
        except StoreUnavailable:
            return

    async def _claimed(self, claim: Claim) -> ClaimAnswer:
        while True:
            found = await self._claims.ask(claim)
            await self._pay(found.debts)
            if found.answer is not None:
                return found.answer
            await self._clock.sleep(min(found.wait, _LOOK_AGAIN))

    async def _settled(self, settlement: Settlement) -> bool:
        if settlement.life is None and settlement.key is None and settlement.gives_back is None:
            # It concerns no life. Cut off, its source comes again and has it written again.
            await self._publisher.write(settlement.records)
            return True
        decided = await self._settlements.ask(settlement)
        await self._pay(decided.debts)
        if decided.effective and settlement.records:
            await self._write_own(settlement)
        return decided.effective or bool(decided.debts)

    async def _write_own(self, settlement: Settlement) -> None:
        try:
            await self._publisher.write(settlement.records)
        except LogUnavailable:
            raise
        except LogError:
            # The log will never take them: no such topic, or too large. So nothing is settled.
            await self._unsettle(settlement)
            raise
        if (key := attempts.debtor(settlement)) is not None:
            self._settlements.tell(key)

    async def _pay(self, debts: Sequence[Debt]) -> None:
        for debt in debts:
            await self._publisher.write(debt.records)
            self._settlements.tell(debt.key)

    async def _unsettle(self, settlement: Settlement) -> None:
        try:
            await attempts.unsettle(self._store, settlement)
        except StoreUnavailable as error:
            raise unavailable(error) from error

    async def _claim(self, claims: Sequence[Claim]) -> Sequence[Claimed]:
        # A claim that is kept although what follows fails is this process's own when it is asked for again.
        return await attempts.claim(self._store, claims, self._holder(self._config.lease))

    async def _settle(self, given: Sequence[Settlement | AttemptKey]) -> Sequence[Decided]:
        """Settle, and note for each key alone that the log has what it owed."""
        paid = {each for each in given if isinstance(each, AttemptKey)}
        settlements = [each for each in given if isinstance(each, Settlement)]
        for _ in range(_RACES):
            try:
                decided = await attempts.settle(self._store, settlements, paid, self._holder(self._config.lease))
            except Raced:
                continue
            answers = iter(decided)
            return [next(answers) if isinstance(each, Settlement) else Decided(effective=True) for each in given]
        raise StoreUnavailable("other processes settle the same lives over and over")

    def _holder(self, lease: timedelta) -> Holder:
        return Holder(owner=self._owner, lease=lease, now_ms=self._now_ms())

    def _taken(self, taking: asyncio.Future[Sequence[SubmitAnswer]]) -> None:
        self._taking.discard(taking)
        if not taking.cancelled():
            taking.exception()  # where nobody awaits it any more, it has been told what it needs: repeat


@asynccontextmanager
async def open_ledger(
    *,
    store: Store,
    log: EventLog,
    publisher: Publisher,
    clock: Clock,
    config: PostgresLedgerConfig,
    owner: str,
    now_ms: Callable[[], int | None] = _by_the_database,
) -> AsyncIterator[PostgresLedger]:
    """Open the ledger in a migrated store on PostgreSQL, which outlives it, as do the log and the publisher.

    `owner` tells this process's claims from all others', those of its own earlier runs too: random. `now_ms` is what
    leases and expiries are measured by, None each time for the database's clock; a test gives its own.
    """
    ledger = PostgresLedger(
        store=store, log=log, publisher=publisher, clock=clock, config=config, owner=owner, now_ms=now_ms
    )
    try:
        yield ledger
    finally:
        await ledger.close()


def _weight(given: Settlement | AttemptKey) -> int:
    if isinstance(given, AttemptKey):
        return _ROW_BYTES
    return _ROW_BYTES + sum(len(record.value) for record in given.records)
