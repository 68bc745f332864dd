"""The table of submits in PostgreSQL: idempotency keys, what was answered, and the records until the log has them.

`owed` is null once the log has the records. While it is not, the key is held until its lease ends; then whoever comes
with the same body writes the same records again, and answers as was answered before.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta
from typing import NamedTuple

import msgspec

from tocsin.clock import to_ms
from tocsin.ledger.port import Conflicting, Repeated, Submission, SubmitClaim
from tocsin.ledger.postgres_attempts import MOMENT, Holder, columns
from tocsin.record import Record
from tocsin.store.engine import Store

_CLAIM = f"""
WITH moment AS MATERIALIZED ({MOMENT}), written AS (
    UPDATE ledger_submits AS kept SET owed = NULL
    FROM (SELECT * FROM unnest($10::text[], $11::text[]) LIMIT cardinality($10::text[])) AS told (tenant, key)
    WHERE kept.tenant = told.tenant AND kept.idempotency_key = told.key
), made AS (
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
FROM (SELECT * FROM unnest($1::text[], $2::text[]) LIMIT cardinality($1::text[])) AS asked (tenant, key)
JOIN ledger_submits AS kept ON kept.tenant = asked.tenant AND kept.idempotency_key = asked.key
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


def key_of(claim: SubmitClaim) -> Key:
    """Return what a claim is known by."""
    return claim.tenant, claim.key


async def give_up(store: Store, told: Sequence[Told]) -> None:
    """Let others have the keys that were released, and forget those that were dropped."""
    for kind, statement in ((Released, _RELEASE), (Dropped, _DROP)):
        if keys := sorted(each.key for each in told if isinstance(each, kind)):
            await store.fetch(statement, *columns(keys, width=2))


async def claim(
    store: Store, asked: Mapping[Key, tuple[SubmitClaim, Submission]], written: Collection[Key], holder: Holder
) -> dict[Key, Found]:
    """Claim keys, and return those that are new; and note that the log has the records of others, `written`."""
    moment, noted = (holder.now_ms, False), columns(sorted(written), width=2)
    made = await store.fetch(_CLAIM, *moment, _ms(holder), *columns(map(_row, asked.values()), width=6), *noted)
    return {
        (tenant, key): Yours(asked[tenant, key][1].records, asked[tenant, key][1].answer, new=True)
        for tenant, key in made
    }


async def find(store: Store, asked: Mapping[Key, SubmitClaim], holder: Holder) -> dict[Key, Found]:
    """Find out what became of keys that were not new, and take those over that were given up."""
    found = await _kept(store, asked)
    if busy := [claim for key, claim in asked.items() if isinstance(found[key], Busy)]:
        found |= await _taken_over(store, busy, holder)
    return found


async def _kept(store: Store, asked: Mapping[Key, SubmitClaim]) -> dict[Key, Found]:
    # One that is not found now was deleted just before: it will be new when it is asked for again.
    found: dict[Key, Found] = dict.fromkeys(asked, Busy())
    for tenant, key, fingerprint, answer, owing in await store.fetch(_READ, *columns(asked, width=2)):
        if fingerprint != asked[tenant, key].fingerprint:
            found[tenant, key] = Conflicting()
        elif not owing:
            found[tenant, key] = Repeated(answer=answer)
    return found


async def _taken_over(store: Store, asked: Sequence[SubmitClaim], holder: Holder) -> dict[Key, Found]:
    keys = columns(((each.tenant, each.key, each.fingerprint) for each in asked), width=3)
    taken = await store.fetch(_TAKE_OVER, holder.now_ms, False, _ms(holder), *keys)
    return {(tenant, key): Yours(_records.decode(owed), answer, new=False) for tenant, key, answer, owed in taken}


def _ms(holder: Holder) -> int:
    return holder.lease // timedelta(milliseconds=1)


def _row(asked: tuple[SubmitClaim, Submission]) -> tuple[object, ...]:
    claim, submission = asked
    records = msgspec.msgpack.encode(submission.records)
    return claim.tenant, claim.key, claim.fingerprint, submission.answer, to_ms(claim.expires_at), records
