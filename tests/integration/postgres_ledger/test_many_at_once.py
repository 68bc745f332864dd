"""The ledger in PostgreSQL: many share few transactions, and none of them fails for another."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from tests.integration.postgres_ledger.sharing import HERE, KEY, Gateways, retrying, submission
from tests.support import postgres
from tests.support.clock import ManualClock
from tocsin import ids
from tocsin.ledger.port import AttemptKey, Granted

pytestmark = postgres.GROUP


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


async def test_a_thousand_at_once_are_a_few_statements(made: Gateways, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger, _ = await made.start()
    fetch = ledger._store.fetch
    fetched = 0

    async def counted(statement: str, *arguments: object) -> Sequence[Any]:
        nonlocal fetched
        fetched += 1
        return await fetch(statement, *arguments)

    monkeypatch.setattr(ledger._store, "fetch", counted)
    keys = [AttemptKey(f"dlv_{number}", 0, 1) for number in range(1000)]
    claimed = await asyncio.gather(*(ledger.claim(key, HERE, durable=False) for key in keys))
    settled = await asyncio.gather(*(ledger.settle(retrying(key=key)) for key in keys))

    assert claimed == [Granted()] * 1000
    assert all(settled)
    assert fetched < 20


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
