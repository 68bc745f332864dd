"""The ledger's statements in PostgreSQL: few, whole or not at all, and planned for tables that grow."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest
from msgspec.structs import replace
from sqlalchemy import text

from tests.integration.postgres_ledger.sharing import (
    DELIVERY,
    HERE,
    KEY,
    THERE,
    Gateways,
    expired,
    retrying,
    submission,
)
from tests.support import postgres
from tests.support.clock import ManualClock
from tocsin.errors import LogUnavailable, StoreUnavailable
from tocsin.ledger.port import Accepted, AttemptKey, Granted, Repeated, Settled
from tocsin.ledger.postgres import PostgresLedger
from tocsin.lifecycle import State

pytestmark = postgres.GROUP

_ATTEMPTS = """
INSERT INTO ledger_attempts (delivery, life, attempt, source, owner, takeovers, settled, lease_until, at)
SELECT 'dlv_' || row, 0, 1, 's', 'o', 0, false, 0, 0 FROM generate_series(1, 60) AS row
"""
_SUBMITS = """
INSERT INTO ledger_submits (tenant, idempotency_key, fingerprint, answer, lease_until, expires_at)
SELECT 't', 'key' || row, '', '', 0, 0 FROM generate_series(1, 60) AS row
"""


def fetching(
    ledger: PostgresLedger, step: Callable[[int], Awaitable[object]] | None = None
) -> list[tuple[str, Sequence[object]]]:
    """Return the statements as they come, and have a step done after each, before it is heard of."""
    fetch, fetched = ledger._store.fetch, list[tuple[str, Sequence[object]]]()

    async def watched(statement: str, *arguments: object) -> Sequence[Any]:
        rows = await fetch(statement, *arguments)
        fetched.append((statement, arguments))
        if step is not None:
            await step(len(fetched))
        return rows

    ledger._store.fetch = watched  # type: ignore[method-assign] # as a proxy between it and its server
    return fetched


async def test_a_batch_that_another_process_overtakes_is_decided_anew_and_nothing_of_it_stands(made: Gateways) -> None:
    ledger, _ = await made.start()
    other, _ = await made.start()
    await ledger.claim(KEY, HERE, durable=True)
    ended = replace(retrying(b"ended"), terminal=State.EXPIRED)

    async def overtake(number: int) -> None:
        if number == 1:
            assert await other.settle(expired(b"overtook", source=THERE))

    fetched = fetching(ledger, overtake)
    assert not await ledger.settle(ended)

    assert len(fetched) == 2  # read, then read anew: what was to be written in between has failed
    store = await made.store()
    async with store.read() as connection:
        rows = await connection.execute(text("SELECT attempt, settled FROM ledger_attempts ORDER BY attempt"))
    assert rows.all() == [(0, True), (KEY.attempt, False)]
    assert await made.written() == [b"overtook"]


async def test_a_key_that_cannot_be_looked_up_fails_alone(made: Gateways, clock: ManualClock) -> None:
    ledger, _ = await made.start()
    await ledger.submit([submission(b"old", clock.now(), key="old")])
    await ledger._intake.close()

    async def break_off(number: int) -> None:
        if number == 2:
            raise StoreUnavailable("gone")

    fetching(ledger, break_off)
    accepted, failed = await asyncio.gather(
        ledger.submit([submission(b"new", clock.now(), key="new")]),
        ledger.submit([submission(b"again", clock.now(), key="old")]),
        return_exceptions=True,
    )

    assert accepted == [Accepted()]
    assert isinstance(failed, LogUnavailable)
    assert await ledger.submit([submission(b"again", clock.now(), key="old")]) == [Repeated(answer=b"answer to old")]


async def test_a_claim_takes_one_way_to_the_database_and_a_settlement_two(made: Gateways) -> None:
    ledger, _ = await made.start()
    fetched = fetching(ledger)
    assert await ledger.claim(KEY, HERE, durable=False) == Granted()
    assert len(fetched) == 1

    assert await ledger.settle(retrying())
    assert len(fetched) == 3


@pytest.mark.parametrize("analyzed", [False, True])
async def test_what_was_planned_while_tables_were_small_does_not_read_all_of_them_later(
    made: Gateways, clock: ManualClock, analyzed: bool
) -> None:
    ledger, _ = await made.start()

    fetched = fetching(ledger)
    for _ in range(2):
        await ledger.submit([submission(b"a", clock.now())])
    await ledger.claim(KEY, HERE, durable=True)
    await ledger.settle(retrying())
    await ledger._settlements.close()
    assert await ledger.claim(KEY, HERE, durable=True) == Settled()
    await ledger.claim(AttemptKey(DELIVERY, 1, 1), THERE, durable=True)

    async with ledger._store.write() as connection:
        if analyzed:
            # As many as are analyzed on their own.
            for statement in (_ATTEMPTS, _SUBMITS, "ANALYZE"):
                await connection.execute(text(statement))
        await connection.execute(text("SET LOCAL plan_cache_mode = force_generic_plan"))
        for number, (statement, arguments) in enumerate(dict(fetched).items()):
            await connection.exec_driver_sql(f"PREPARE looked_at_{number} AS {statement}")
            nothings = ", ".join(["NULL"] * len(arguments))
            steps = await connection.scalars(text(f"EXPLAIN EXECUTE looked_at_{number} ({nothings})"))
            plan = "\n".join(steps)

            assert "Seq Scan" not in plan
            assert len(re.findall(r"Scan using \w+_pkey", plan)) == plan.count("Index Cond: ")
