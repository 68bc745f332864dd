"""The ledger in the embedded log's own file: a claim, a settlement and the records they go with are one transaction.

A claim that is found at start has expired, since its process is gone.
"""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import NamedTuple

from tocsin import ids
from tocsin.clock import Clock, from_ms, to_ms
from tocsin.eventlog.embedded.log import EmbeddedLog
from tocsin.eventlog.embedded.transaction import Transaction
from tocsin.ledger import attempts
from tocsin.ledger.port import (
    Accepted,
    AttemptKey,
    ClaimAnswer,
    Conflicting,
    Forked,
    Granted,
    Repeated,
    Settlement,
    Submission,
    SubmitAnswer,
    SubmitClaim,
)
from tocsin.record import Source

_DDL = """
CREATE TABLE IF NOT EXISTS submits (
    tenant TEXT NOT NULL, idempotency_key TEXT NOT NULL, fingerprint BLOB NOT NULL, answer BLOB NOT NULL,
    expires_ms INTEGER NOT NULL, PRIMARY KEY (tenant, idempotency_key)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS submits_by_expiry ON submits (expires_ms);
"""

_ROWS = 1000


class EmbeddedLedger:
    """Fulfils `ledger.port.Ledger` over an embedded log."""

    def __init__(self, log: EmbeddedLog, *, clock: Clock, lease: timedelta) -> None:
        self._log = log
        self._clock = clock
        self._lease = lease
        # The claims of this process that run. The same source, come back after a rebalance, waits here until its
        # earlier attempt ends; any other source is a fork, whatever becomes of the one that runs.
        self._running: dict[AttemptKey, _Running] = {}

    async def open(self) -> None:
        """Make the tables. Raises LogUnavailable."""
        await self._log.run(_make_tables)

    async def submit(self, submissions: Sequence[Submission]) -> Sequence[SubmitAnswer]:
        """See the port."""
        self._log.take_intake()
        return await self._log.run(
            lambda transaction: [_submit(transaction, each) for each in submissions], weight=len(submissions)
        )

    async def claim(self, key: AttemptKey, source: Source, *, durable: bool) -> ClaimAnswer:
        """See the port."""
        while (running := self._running.get(key)) is not None:
            if running.source != source:
                return Forked()
            if not await self._ended(running.ended) and self._running.get(key) is running:
                del self._running[key]
        self._running[key] = _Running(source, asyncio.Event())
        try:
            answer: ClaimAnswer = await self._log.run_bulk(attempts.claim, (key, source), early=not durable)
        except BaseException:
            self._end(key, source)
            raise
        if not isinstance(answer, Granted):
            self._end(key, source)
        return answer

    async def settle(self, settlement: Settlement) -> bool:
        """See the port."""
        try:
            return await self._log.run_bulk(attempts.settle, settlement)
        finally:
            for key in (settlement.key, settlement.gives_back):
                if key is not None:
                    self._end(key, settlement.source)

    async def forget(self, *, older_than: timedelta) -> int:
        """Delete up to 1,000 rows each of claims past their time and lives that ended long ago; return how many."""
        now = self._clock.now()
        before = to_ms(now - older_than)
        return await self._log.run(lambda transaction: _forget(transaction, to_ms(now), before), apart=True)

    async def _ended(self, running: asyncio.Event) -> bool:
        """Wait until a running attempt ends, at most as long as its lease; return whether it did."""
        waiting = asyncio.ensure_future(running.wait())
        lease = asyncio.ensure_future(self._clock.sleep(self._lease))
        try:
            await asyncio.wait({waiting, lease}, return_when=asyncio.FIRST_COMPLETED)
            return running.is_set()
        finally:
            waiting.cancel()
            lease.cancel()
            await asyncio.gather(waiting, lease, return_exceptions=True)

    def _end(self, key: AttemptKey, source: Source) -> None:
        running = self._running.get(key)
        if running is not None and running.source == source:
            del self._running[key]
            running.ended.set()


class _Running(NamedTuple):
    source: Source
    ended: asyncio.Event


def _make_tables(transaction: Transaction) -> None:
    transaction.connection.execute(attempts.DDL + _DDL)


def _submit(transaction: Transaction, submission: Submission) -> SubmitAnswer:
    claim = submission.claim
    if claim is not None:
        earlier = _claimed(transaction, claim)
        if earlier is not None:
            return earlier
        transaction.connection.execute(
            "INSERT OR REPLACE INTO submits VALUES (?, ?, ?, ?, ?)",
            (claim.tenant, claim.key, claim.fingerprint, submission.answer, to_ms(claim.expires_at)),
        )
    transaction.append(submission.records)
    return Accepted()


def _claimed(transaction: Transaction, claim: SubmitClaim) -> Repeated | Conflicting | None:
    row = transaction.connection.execute(
        "SELECT fingerprint, answer, expires_ms FROM submits WHERE tenant = ? AND idempotency_key = ?",
        (claim.tenant, claim.key),
    ).fetchone()
    if row is None or row[2] <= transaction.now_ms:
        return None
    return Repeated(answer=row[1]) if row[0] == claim.fingerprint else Conflicting()


def _forget(transaction: Transaction, now_ms: int, before_ms: int) -> int:
    connection = transaction.connection
    connection.execute(
        "DELETE FROM submits WHERE (tenant, idempotency_key) IN "
        "(SELECT tenant, idempotency_key FROM submits WHERE expires_ms <= ? LIMIT ?)",
        (now_ms, _ROWS),
    )
    gone: int = connection.changes()
    # Delivery ids begin with their time: the old ones are a range of the primary key, no index on the time is needed.
    end = ids.lowest(ids.DELIVERY, from_ms(before_ms))
    connection.execute(
        "DELETE FROM attempts WHERE (delivery, life, attempt) IN "
        "(SELECT delivery, life, attempt FROM attempts WHERE delivery < ? AND at_ms < ? LIMIT ?)",
        (end, before_ms, _ROWS),
    )
    return gone + int(connection.changes())
