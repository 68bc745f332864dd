"""The ledger in the embedded log's own file: a claim, a settlement and the records they go with are one transaction.

A claim that is found at start has expired, since its process is gone.
"""

from collections.abc import Sequence
from datetime import timedelta

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
from tocsin.ledger.running import RunningClaims
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
        self._running = RunningClaims(clock, lease=lease)

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
        if not await self._running.begin(key, source):
            return Forked()
        try:
            answer: ClaimAnswer = await self._log.run_bulk(attempts.claim, (key, source), early=not durable)
        except BaseException:
            self._running.end(key, source)
            raise
        if not isinstance(answer, Granted):
            self._running.end(key, source)
        return answer

    async def settle(self, settlement: Settlement) -> bool:
        """See the port."""
        try:
            return await self._log.run_bulk(attempts.settle, settlement)
        finally:
            self._running.settled(settlement)

    async def forget(self, *, older_than: timedelta) -> int:
        """Delete up to 1,000 rows each of claims past their time and lives that ended long ago; return how many."""
        now = self._clock.now()
        before = to_ms(now - older_than)
        return await self._log.run(lambda transaction: _forget(transaction, to_ms(now), before), apart=True)


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
