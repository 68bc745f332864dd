"""The table of attempts: what a claim and a settlement do to it, all those of one commit at once.

A row is a claimed attempt of a life with its source; the row with attempt 0 is the end of the life, and whoever comes
first writes it. Each function reads the rows of all lives concerned in one step, decides in order, and writes what
changed in one step: a step of SQLite for each would cost more than all the rest.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import msgspec

from tocsin.eventlog.embedded import tables
from tocsin.eventlog.embedded.transaction import Transaction
from tocsin.ledger.port import AttemptKey, ClaimAnswer, Forked, Granted, Settled, Settlement
from tocsin.record import Source

DDL = """
CREATE TABLE IF NOT EXISTS attempts (
    delivery TEXT NOT NULL, life INTEGER NOT NULL, attempt INTEGER NOT NULL, source TEXT NOT NULL,
    takeovers INTEGER NOT NULL, settled INTEGER NOT NULL, state TEXT, at_ms INTEGER NOT NULL,
    PRIMARY KEY (delivery, life, attempt)
) WITHOUT ROWID;
"""

_END = 0
_INSERT = "INSERT OR REPLACE INTO attempts VALUES "
_DELETE = "DELETE FROM attempts WHERE delivery = ? AND life = ? AND attempt = ?"
# One row in JSON, and so one step, whatever it finds. The cross join looks each life up in the table's own order.
_SELECT = """
SELECT json_group_array(json_array(a.delivery, a.life, a.attempt, a.source, a.takeovers, a.settled))
FROM json_each(?) AS wanted CROSS JOIN attempts AS a
ON a.delivery = wanted.value ->> 0 AND a.life = wanted.value ->> 1
"""

Life = tuple[str, int]


class _Row(NamedTuple):
    source: str
    takeovers: int
    settled: bool
    state: str | None = None


_decoder = msgspec.json.Decoder(list[tuple[str, int, int, str, int, int]])


@dataclass(slots=True)
class _Lives:
    """The rows of some lives, and what has become of them."""

    rows: dict[AttemptKey, _Row]
    changed: dict[AttemptKey, _Row] = field(default_factory=dict)
    gone: list[AttemptKey] = field(default_factory=list)

    def put(self, key: AttemptKey, row: _Row) -> None:
        self.rows[key] = self.changed[key] = row

    def remove(self, key: AttemptKey) -> None:
        del self.rows[key]
        self.changed.pop(key, None)
        self.gone.append(key)

    def write(self, transaction: Transaction) -> None:
        for key in self.gone:
            transaction.connection.execute(_DELETE, key)
        rows = [
            (*key, row.source, row.takeovers, int(row.settled), row.state, transaction.now_ms)
            for key, row in self.changed.items()
        ]
        tables.insert(transaction.connection, _INSERT, rows)


def claim(transaction: Transaction, claims: Sequence[tuple[AttemptKey, Source]]) -> Sequence[ClaimAnswer | Exception]:
    """Claim attempts for their sources."""
    lives = _read(transaction, ((key.delivery_id, key.life) for key, _ in claims))
    answers = [_claim(lives, key, _text(source)) for key, source in claims]
    lives.write(transaction)
    return answers


def settle(transaction: Transaction, settlements: Sequence[Settlement]) -> Sequence[bool | Exception]:
    """Settle, and append the records of those settlements that have an effect; return which have."""
    lives = _read(transaction, (life for each in settlements for life in _lives_of(each)))
    results = [_settled(transaction, lives, each) for each in settlements]
    lives.write(transaction)
    return results


def _read(transaction: Transaction, wanted: Iterable[Life]) -> _Lives:
    asked = msgspec.json.encode(list(dict.fromkeys(wanted))).decode()
    found: Any = transaction.connection.execute(_SELECT, (asked,)).get
    rows = _decoder.decode(found)
    return _Lives({AttemptKey(d, life, n): _Row(source, took, bool(done)) for d, life, n, source, took, done in rows})


def _lives_of(settlement: Settlement) -> Iterable[Life]:
    if settlement.life is not None:
        yield settlement.life
    for key in (settlement.key, settlement.gives_back):
        if key is not None:
            yield key.delivery_id, key.life


def _claim(lives: _Lives, key: AttemptKey, source: str) -> ClaimAnswer:
    end = lives.rows.get(key._replace(attempt=_END))
    row = lives.rows.get(key)
    for found in (end, row):
        if found is not None and found.source != source:
            return Forked()
    if end is not None or (row is not None and row.settled):
        return Settled()
    takeovers = 0 if row is None else row.takeovers + 1
    lives.put(key, _Row(source, takeovers, settled=False))
    return Granted(takeovers=takeovers)


def _settled(transaction: Transaction, lives: _Lives, settlement: Settlement) -> bool | Exception:
    source = _text(settlement.source)
    if settlement.life is not None and AttemptKey(*settlement.life, _END) in lives.rows:
        return False
    key = settlement.key
    row = lives.rows.get(key) if key is not None else None
    if row is not None and (row.settled or row.source != source):
        return False
    try:
        transaction.append(settlement.records)
    except Exception as error:  # noqa: BLE001 - its own, and nothing of it has been written
        return error
    _note(lives, settlement, row, source)
    return True


def _note(lives: _Lives, settlement: Settlement, row: _Row | None, source: str) -> None:
    if settlement.life is not None and settlement.terminal is not None:
        end = AttemptKey(*settlement.life, _END)
        lives.put(end, _Row(source, 0, settled=True, state=settlement.terminal))
    if settlement.key is not None:
        lives.put(settlement.key, _Row(source, row.takeovers if row else 0, settled=True))
    given = settlement.gives_back
    held = lives.rows.get(given) if given is not None else None
    if given is not None and held is not None and held.source == source and not held.settled:
        lives.remove(given)


def _text(source: Source) -> str:
    return f"{source.topic}/{source.partition}/{source.offset}"
