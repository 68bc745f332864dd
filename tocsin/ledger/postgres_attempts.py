"""The table of attempts in PostgreSQL: what a claim and a settlement do to it, a batch in one statement.

A row is a claimed attempt of a life with its source; the row with attempt 0 is the end of the life, and whoever comes
first writes it. `owed` holds the records of a settlement until the log has them. Other processes write to the table
at the same time, so every change says in its WHERE what it was decided upon; rows are written in the order of their
keys, so that no two transactions wait for each other.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, NamedTuple

import msgspec

from tocsin.ledger.port import AttemptKey, ClaimAnswer, Forked, Granted, Settled, Settlement
from tocsin.record import Record, Source
from tocsin.store.engine import Store

END = 0

# The database's own time in milliseconds, unless another is given; and where a commit need not be on disk, so be it.
MOMENT = """
SELECT coalesce($1::bigint, (extract(epoch FROM clock_timestamp()) * 1000)::bigint) AS now,
       CASE WHEN $2::boolean THEN set_config('synchronous_commit', 'off', true) END AS set
"""
# With a LIMIT, which limits nothing, the planner expects few rows, and has each looked up by the index.
# A claim that this process made before, and did not hear of, is its own; one whose lease is over is taken over.
_CLAIM = f"""
WITH moment AS MATERIALIZED ({MOMENT}), made AS (
    INSERT INTO ledger_attempts AS kept
        (delivery, life, attempt, source, owner, takeovers, settled, lease_until, at)
    SELECT asked.delivery, asked.life, asked.attempt, asked.source, $3::text, 0, false, now + $4::bigint, now
    FROM (SELECT * FROM unnest($5::text[], $6::bigint[], $7::bigint[], $8::text[]) LIMIT cardinality($5::text[]))
        AS asked (delivery, life, attempt, source), moment
    WHERE (
        SELECT ended.attempt FROM ledger_attempts AS ended
        WHERE ended.delivery = asked.delivery AND ended.life = asked.life AND ended.attempt = {END}
    ) IS NULL
    ORDER BY asked.delivery COLLATE "C", asked.life, asked.attempt
    ON CONFLICT (delivery, life, attempt) DO UPDATE SET
        takeovers = kept.takeovers + (kept.lease_until <= excluded.at)::int,
        owner = excluded.owner, lease_until = excluded.lease_until, at = excluded.at
    WHERE kept.source = excluded.source AND NOT kept.settled
        AND (kept.lease_until <= excluded.at OR kept.owner = excluded.owner)
    RETURNING delivery, life, attempt, takeovers
)
SELECT delivery, life, attempt, takeovers FROM made
"""  # noqa: S608 - nothing in it was given from outside
_READ = f"""
WITH moment AS MATERIALIZED ({MOMENT})
SELECT kept.delivery, kept.life, kept.attempt, kept.source, kept.takeovers, kept.settled, kept.lease_until - now,
    CASE WHEN kept.source = ANY ($5::text[]) THEN kept.owed END
FROM (SELECT * FROM unnest($3::text[], $4::bigint[]) LIMIT cardinality($3::text[])) AS asked (delivery, life)
JOIN ledger_attempts AS kept ON kept.delivery = asked.delivery AND kept.life = asked.life
CROSS JOIN moment
"""  # noqa: S608
# Where another process was first to write one of the rows, it divides by zero, and by that undoes all that it has done.
_SETTLE = f"""
WITH moment AS MATERIALIZED ({MOMENT}), paid AS (
    UPDATE ledger_attempts AS kept SET owed = NULL
    FROM (SELECT * FROM unnest($11::text[], $12::bigint[], $13::bigint[]) LIMIT cardinality($11::text[]))
        AS paid (delivery, life, attempt)
    WHERE kept.delivery = paid.delivery AND kept.life = paid.life AND kept.attempt = paid.attempt
), put AS (
    INSERT INTO ledger_attempts AS kept
        (delivery, life, attempt, source, owner, takeovers, settled, lease_until, at, state, owed)
    SELECT told.delivery, told.life, told.attempt, told.source, $3::text, told.takeovers, true, now, now, told.state,
        told.owed
    FROM unnest($4::text[], $5::bigint[], $6::bigint[], $7::text[], $8::int[], $9::text[], $10::bytea[])
        AS told (delivery, life, attempt, source, takeovers, state, owed), moment
    ORDER BY told.delivery COLLATE "C", told.life, told.attempt
    ON CONFLICT (delivery, life, attempt) DO UPDATE SET
        settled = true, at = excluded.at, state = excluded.state, owed = excluded.owed
    WHERE kept.source = excluded.source AND NOT kept.settled
    RETURNING 1
)
SELECT 1 / (count(*) = cardinality($4::text[]))::int FROM put
"""  # noqa: S608
_GIVE_BACK = """
DELETE FROM ledger_attempts AS kept
USING unnest($1::text[], $2::bigint[], $3::bigint[], $4::text[]) AS given (delivery, life, attempt, source)
WHERE kept.delivery = given.delivery AND kept.life = given.life AND kept.attempt = given.attempt
    AND kept.source = given.source AND NOT kept.settled
"""
_UNSETTLE = f"""
WITH undone AS (
    SELECT * FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::text[]) AS undone (delivery, life, attempt, source)
), reopened AS (
    DELETE FROM ledger_attempts AS kept USING undone
    WHERE kept.delivery = undone.delivery AND kept.life = undone.life AND kept.attempt = undone.attempt
        AND kept.source = undone.source AND kept.attempt = {END}
)
UPDATE ledger_attempts AS kept SET settled = false, owed = NULL FROM undone
WHERE kept.delivery = undone.delivery AND kept.life = undone.life AND kept.attempt = undone.attempt
    AND kept.source = undone.source AND kept.attempt <> {END}
"""  # noqa: S608
_RELEASE = """
UPDATE ledger_attempts AS kept SET lease_until = 0
FROM unnest($1::text[], $2::bigint[], $3::bigint[]) AS given (delivery, life, attempt)
WHERE kept.delivery = given.delivery AND kept.life = given.life AND kept.attempt = given.attempt
    AND kept.owner = $4::text AND NOT kept.settled
"""

_DIVIDED_BY_ZERO = "22012"

Life = tuple[str, int]
Rows = dict[AttemptKey, "Row"]

_records = msgspec.msgpack.Decoder(tuple[Record, ...])


class Row(NamedTuple):
    """A row, as a decision needs it. `lease_ms` is what is left of its lease."""

    source: str
    takeovers: int
    settled: bool
    lease_ms: int = 0
    owed: bytes | None = None


class Debt(NamedTuple):
    """Records that a settlement has promised, and where it is written that they are not in the log yet."""

    key: AttemptKey
    records: tuple[Record, ...]


class Claimed(NamedTuple):
    """What a claim found. No answer: somebody holds it, who has this long left. Debts are to be paid first."""

    answer: ClaimAnswer | None
    wait: timedelta = timedelta()
    debts: tuple[Debt, ...] = ()


class Decided(NamedTuple):
    """What became of a settlement. The debts are those of earlier ones of its source, and are to be paid first."""

    effective: bool
    debts: tuple[Debt, ...] = ()


class Raced(Exception):
    """Another process changed a row between the reading and the writing: all of the batch is to be decided anew."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """Whose claims these are, and by what time: `now` returns milliseconds, or None for the database's time."""

    owner: str
    lease: timedelta
    now_ms: int | None


class Claim(NamedTuple):
    """One question for the next batch of claims."""

    key: AttemptKey
    source: Source
    durable: bool


async def claim(store: Store, claims: Sequence[Claim], holder: Holder) -> Sequence[Claimed]:
    """Claim attempts for their sources, no key twice."""
    moment = (holder.now_ms, not any(each.durable for each in claims))
    asked = columns((*each.key, text(each.source)) for each in claims)
    made = await store.fetch(_CLAIM, *moment, holder.owner, _ms(holder.lease), *asked)
    granted = {AttemptKey(delivery, life, attempt): takeovers for delivery, life, attempt, takeovers in made}
    refused = [each for each in claims if each.key not in granted]
    lives = ((each.key.delivery_id, each.key.life) for each in refused)
    rows = await _read(store, lives, {text(each.source) for each in refused}, holder) if refused else {}
    return [
        Claimed(Granted(takeovers=granted[each.key])) if each.key in granted else _refused(rows, each)
        for each in claims
    ]


async def settle(
    store: Store, settlements: Sequence[Settlement], paid: Collection[AttemptKey], holder: Holder
) -> Sequence[Decided]:
    """Settle, keeping the records of each settlement that has an effect as its debt. Raises Raced, with none settled.

    With it goes the note that the log has what the rows `paid` owed.
    """
    lives = (life for each in settlements for life in _lives_of(each))
    rows = await _read(store, lives, {text(each.source) for each in settlements}, holder) if settlements else {}
    for key in rows.keys() & paid:
        rows[key] = rows[key]._replace(owed=None)
    changes = _Changes(rows)
    decided = [_settled(changes, each) for each in settlements]
    await _write(store, changes, paid, holder)
    return decided


async def unsettle(store: Store, settlement: Settlement) -> None:
    """Take back a settlement whose records the log will never take."""
    undone = [(*key, text(settlement.source)) for key in _written_by(settlement)]
    if undone:
        await store.fetch(_UNSETTLE, *columns(undone))


async def release(store: Store, keys: Sequence[AttemptKey], holder: Holder) -> None:
    """End the leases of claims that their owner will not settle any more."""
    await store.fetch(_RELEASE, *columns(sorted(keys)), holder.owner)


def text(source: Source) -> str:
    """Return a source as it stands in the table."""
    return f"{source.topic}/{source.partition}/{source.offset}"


def columns(rows: Iterable[tuple[Any, ...]], *, width: int | None = None) -> list[list[Any]]:
    """Return rows as one list a column, as `unnest` takes them; where there may be none, of so many columns."""
    found = [list(column) for column in zip(*rows, strict=True)]
    return found if found or width is None else [[] for _ in range(width)]


@dataclass(slots=True)
class _Changes:
    """The rows of some lives, and what has become of them."""

    rows: Rows
    put: dict[AttemptKey, tuple[Row, str | None]] = field(default_factory=dict)
    given_back: list[tuple[AttemptKey, str]] = field(default_factory=list)

    def settle(self, key: AttemptKey, row: Row, state: str | None = None) -> None:
        self.put[key] = row, state
        # What is owed is paid by the settlement that is being decided, not by the next one of its source.
        self.rows[key] = row._replace(owed=None)

    def give_back(self, key: AttemptKey, source: str) -> None:
        del self.rows[key]
        self.given_back.append((key, source))


def _refused(rows: Rows, claim: Claim) -> Claimed:
    source = text(claim.source)
    end, row = rows.get(claim.key._replace(attempt=END)), rows.get(claim.key)
    if any(found is not None and found.source != source for found in (end, row)):
        return Claimed(Forked())
    debts = tuple(_debts(rows, (claim.key.delivery_id, claim.key.life), source))
    if end is not None or (row is not None and row.settled):
        return Claimed(Settled(), debts=debts)
    # Gone since it was refused, or held by this very source under another roof.
    return Claimed(None, wait=timedelta(milliseconds=max(row.lease_ms, 0) if row else 0), debts=debts)


def _settled(changes: _Changes, settlement: Settlement) -> Decided:
    source = text(settlement.source)
    earlier = tuple(debt for life in _lives_of(settlement) for debt in _debts(changes.rows, life, source))
    if settlement.life is not None and AttemptKey(*settlement.life, END) in changes.rows:
        return Decided(effective=False, debts=earlier)
    key = settlement.key
    row = changes.rows.get(key) if key is not None else None
    if row is not None and (row.settled or row.source != source):
        return Decided(effective=False, debts=earlier)
    _note(changes, settlement, row, source)
    return Decided(effective=True, debts=earlier)


def _note(changes: _Changes, settlement: Settlement, row: Row | None, source: str) -> None:
    owed = msgspec.msgpack.encode(settlement.records) if settlement.records else None
    place = debtor(settlement)
    for key in _written_by(settlement):
        state = settlement.terminal if key.attempt == END else None
        takeovers = row.takeovers if row is not None and key == settlement.key else 0
        changes.settle(key, Row(source, takeovers, settled=True, owed=owed if key == place else None), state)
    given = settlement.gives_back
    held = changes.rows.get(given) if given is not None else None
    if given is not None and held is not None and held.source == source and not held.settled:
        changes.give_back(given, source)


def debtor(settlement: Settlement) -> AttemptKey | None:
    """Return the row that owes a settlement's records. None: it leaves no row, and comes again if it is cut off."""
    return next(iter(reversed(_written_by(settlement))), None)


def _written_by(settlement: Settlement) -> list[AttemptKey]:
    ends = settlement.life is not None and settlement.terminal is not None
    end = [AttemptKey(*settlement.life, END)] if ends and settlement.life is not None else []
    return [*end, *([settlement.key] if settlement.key is not None else [])]


def _lives_of(settlement: Settlement) -> Iterable[Life]:
    own = (key[:2] for key in (settlement.key, settlement.gives_back) if key is not None)
    return dict.fromkeys((*([settlement.life] if settlement.life is not None else []), *own))


def _debts(rows: Mapping[AttemptKey, Row], life: Life, source: str) -> Iterable[Debt]:
    for key, row in rows.items():
        if row.owed is not None and row.source == source and key[:2] == life:
            yield Debt(key, _records.decode(row.owed))


async def _read(store: Store, lives: Iterable[Life], sources: Iterable[str], holder: Holder) -> Rows:
    wanted = columns(dict.fromkeys(lives), width=2)
    moment = (holder.now_ms, False)
    found = await store.fetch(_READ, *moment, *wanted, list(sources))
    return {
        AttemptKey(delivery, life, attempt): Row(source, takeovers, settled, lease_ms, owed)
        for delivery, life, attempt, source, takeovers, settled, lease_ms, owed in found
    }


async def _write(store: Store, changes: _Changes, paid: Collection[AttemptKey], holder: Holder) -> None:
    if changes.given_back:
        # Decided anew because of a race, or because it fails, what follows is the same without the row.
        await store.fetch(_GIVE_BACK, *columns((*key, source) for key, source in changes.given_back))
    # One statement changes a row once only.
    noted = columns(sorted(set(paid) - changes.put.keys()), width=3)
    told = columns(
        ((*key, row.source, row.takeovers, state, row.owed) for key, (row, state) in changes.put.items()), width=7
    )
    if not any((*noted, *told)):
        return
    try:
        await store.fetch(_SETTLE, holder.now_ms, False, holder.owner, *told, *noted)
    except Exception as error:
        if getattr(error, "sqlstate", None) == _DIVIDED_BY_ZERO:
            raise Raced from error
        raise


def _ms(span: timedelta) -> int:
    return span // timedelta(milliseconds=1)
