"""The table of submits in PostgreSQL: idempotency keys, what was answered, and the records until the log has them.

`owed` is null once the log has the records. While it is not, the key is held until its lease ends; then whoever comes
with the same body writes the same records again, and answers as was answered before.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, NamedTuple

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from tocsin.clock import to_ms
from tocsin.ledger.port import Conflicting, Repeated, Submission, SubmitClaim
from tocsin.ledger.postgres_attempts import MOMENT, Holder
from tocsin.record import Record

_CLAIM = f"""
WITH moment AS MATERIALIZED ({MOMENT}), made AS (
    INSERT INTO ledger_submits AS kept
        (tenant, idempotency_key, fingerprint, answer, lease_until, expires_at, owed)
    SELECT asked.tenant, asked.key, asked.fingerprint, asked.answer, now + $3::bigint, asked.expires_at, asked.owed
    FROM unnest($4::text[], $5::text[], $6::bytea[], $7::bytea[], $8::bigint[], $9::bytea[])
        AS asked (tenant, key, fingerprint, answer, expires_at, owed), moment
    ORDER BY asked.tenant COLLATE "C", asked.key COLLATE "C"
    ON CONFLICT (tenant, idempotency_key) DO UPDATE SET
        fingerprint = excluded.fingerprint, answer = excluded.answer, lease_until = excluded.lease_until,
        expires_at = excluded.expires_at, owed = excluded.owed
    WHERE kept.expires_at <= excluded.lease_until - $3::bigint
    RETURNING tenant, idempotency_key
)
SELECT tenant, idempotency_key FROM made
"""  # noqa: S608 - nothing in it was given from outside
_TAKE_OVER = f"""
WITH moment AS MATERIALIZED ({MOMENT})
UPDATE ledger_submits AS kept SET lease_until = now + $3::bigint
FROM unnest($4::text[], $5::text[], $6::bytea[]) AS asked (tenant, key, fingerprint), moment
WHERE kept.tenant = asked.tenant AND kept.idempotency_key = asked.key AND kept.fingerprint = asked.fingerprint
    AND kept.owed IS NOT NULL AND kept.lease_until <= now
RETURNING kept.tenant, kept.idempotency_key, kept.answer, kept.owed
"""  # noqa: S608
_READ = """
SELECT kept.tenant, kept.idempotency_key, kept.fingerprint, kept.answer, kept.owed IS NOT NULL
FROM unnest($1::text[], $2::text[]) AS asked (tenant, key)
JOIN ledger_submits AS kept ON kept.tenant = asked.tenant AND kept.idempotency_key = asked.key
"""
_WRITTEN = """
UPDATE ledger_submits AS kept SET owed = NULL
FROM unnest($1::text[], $2::text[]) AS told (tenant, key)
WHERE kept.tenant = told.tenant AND kept.idempotency_key = told.key
"""
_RELEASE = """
UPDATE ledger_submits AS kept SET lease_until = 0
FROM unnest($1::text[], $2::text[]) AS told (tenant, key)
WHERE kept.tenant = told.tenant AND kept.idempotency_key = told.key
"""
_DROP = """
DELETE FROM ledger_submits AS kept USING unnest($1::text[], $2::text[]) AS told (tenant, key)
WHERE kept.tenant = told.tenant AND kept.idempotency_key = told.key AND kept.owed IS NOT NULL
"""

Key = tuple[str, str]

_records = msgspec.msgpack.Decoder(tuple[Record, ...])


class Yours(NamedTuple):
    """The key is held by who asked, for as long as its lease. To be written, and then to be answered."""

    records: tuple[Record, ...]
    answer: bytes
    new: bool


class Busy(NamedTuple):
    """Somebody else holds the key, and has not finished."""


class Written(NamedTuple):
    """To be told: the log has the records of this key."""

    key: Key


class Released(NamedTuple):
    """To be told: the records may or may not be in the log, and whoever comes next is to write them again."""

    key: Key


class Dropped(NamedTuple):
    """To be told: the records can never be in the log, so there was no such submit."""

    key: Key


Told = Written | Released | Dropped
Found = Yours | Busy | Repeated | Conflicting
_TELLING: Mapping[type[Told], str] = {Written: _WRITTEN, Released: _RELEASE, Dropped: _DROP}


def key_of(claim: SubmitClaim) -> Key:
    """Return what a claim is known by."""
    return claim.tenant, claim.key


async def tell(connection: AsyncConnection, told: Sequence[Told]) -> None:
    """Note what became of keys."""
    for kind, statement in _TELLING.items():
        if keys := sorted(each.key for each in told if isinstance(each, kind)):
            await connection.exec_driver_sql(statement, tuple(map(list, zip(*keys, strict=True))))


async def claim(
    connection: AsyncConnection, asked: Mapping[Key, tuple[SubmitClaim, Submission]], holder: Holder
) -> Mapping[Key, Found]:
    """Claim keys, or find out what became of them."""
    moment, lease_ms = (holder.now_ms, False), holder.lease // timedelta(milliseconds=1)
    made: Any = await connection.exec_driver_sql(_CLAIM, (*moment, lease_ms, *_columns(asked)))
    new = {(tenant, key) for tenant, key in made}
    found: dict[Key, Found] = {key: Yours(asked[key][1].records, asked[key][1].answer, new=True) for key in new}
    if len(new) < len(asked):
        kept = [key for key in asked if key not in new]
        found |= await _kept(connection, {key: asked[key][0] for key in kept})
        if busy := [asked[key][0] for key in kept if isinstance(found[key], Busy)]:
            found |= await _taken_over(connection, busy, moment, lease_ms)
    return found


async def _kept(connection: AsyncConnection, asked: Mapping[Key, SubmitClaim]) -> dict[Key, Found]:
    keys = tuple(map(list, zip(*asked, strict=True)))
    # One that is not found now was deleted just before: it will be new when it is asked for again.
    found: dict[Key, Found] = dict.fromkeys(asked, Busy())
    rows: Any = await connection.exec_driver_sql(_READ, keys)
    for tenant, key, fingerprint, answer, owing in rows:
        if fingerprint != asked[tenant, key].fingerprint:
            found[tenant, key] = Conflicting()
        elif not owing:
            found[tenant, key] = Repeated(answer=answer)
    return found


async def _taken_over(
    connection: AsyncConnection, asked: Sequence[SubmitClaim], moment: tuple[int | None, bool], lease_ms: int
) -> dict[Key, Found]:
    columns = [[each.tenant for each in asked], [each.key for each in asked], [each.fingerprint for each in asked]]
    taken: Any = await connection.exec_driver_sql(_TAKE_OVER, (*moment, lease_ms, *columns))
    return {(tenant, key): Yours(_records.decode(owed), answer, new=False) for tenant, key, answer, owed in taken}


def _columns(asked: Mapping[Key, tuple[SubmitClaim, Submission]]) -> list[list[object]]:
    rows = [
        (
            claim.tenant,
            claim.key,
            claim.fingerprint,
            submission.answer,
            to_ms(claim.expires_at),
            msgspec.msgpack.encode(submission.records),
        )
        for claim, submission in asked.values()
    ]
    return [list(column) for column in zip(*rows, strict=True)]
