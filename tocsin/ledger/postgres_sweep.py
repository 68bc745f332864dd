"""What the ledger in PostgreSQL forgets: keys past their time, and attempts of lives that ended long ago."""

from datetime import datetime

from tocsin import ids
from tocsin.clock import to_ms
from tocsin.store.engine import Store

_ROWS = 1000
# Each sweeper takes rows that no other has in hand.
_SUBMITS = f"""
WITH gone AS (
    DELETE FROM ledger_submits WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM ledger_submits
        WHERE expires_at <= coalesce($1::bigint, (extract(epoch FROM clock_timestamp()) * 1000)::bigint)
        ORDER BY expires_at LIMIT {_ROWS} FOR UPDATE SKIP LOCKED
    ))
    RETURNING 1
)
SELECT count(*) FROM gone
"""  # noqa: S608 - a number of ours
# Delivery ids begin with their time: the old ones are a range of the primary key, no index on the time is needed.
_ATTEMPTS = f"""
WITH gone AS (
    DELETE FROM ledger_attempts WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM ledger_attempts WHERE delivery < $1::text AND at < $2::bigint
        ORDER BY delivery LIMIT {_ROWS} FOR UPDATE SKIP LOCKED
    ))
    RETURNING 1
)
SELECT count(*) FROM gone
"""  # noqa: S608


async def forget(store: Store, *, before: datetime, now_ms: int | None) -> int:
    """Delete up to 1,000 rows of each table; return how many."""
    [submits] = await store.fetch(_SUBMITS, now_ms)
    [attempts] = await store.fetch(_ATTEMPTS, ids.lowest(ids.DELIVERY, before), to_ms(before))
    count: int = submits[0] + attempts[0]
    return count
