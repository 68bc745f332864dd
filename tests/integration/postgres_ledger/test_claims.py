"""The ledger in PostgreSQL: of several processes one has the claim, until it settles, ends, or its lease does."""

import asyncio
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import timedelta

from msgspec.structs import replace as changed

from tests.integration.postgres_ledger.sharing import (
    DELIVERY,
    HERE,
    KEY,
    LEASE,
    THERE,
    Gateways,
    expired,
    retrying,
)
from tests.support import postgres
from tests.support.clock import ManualClock
from tocsin.ledger.port import Forked, Granted, Settled
from tocsin.ledger.postgres import PostgresLedgerConfig
from tocsin.record import Source

pytestmark = postgres.GROUP


async def test_a_claim_of_a_living_process_holds_until_its_lease_ends(made: Gateways, clock: ManualClock) -> None:
    one, _ = await made.start()
    other, _ = await made.start()
    await one.claim(KEY, HERE, durable=False)
    assert await other.claim(KEY, THERE, durable=True) == Forked()
    again = asyncio.ensure_future(other.claim(KEY, HERE, durable=True))
    await asyncio.wait({again}, timeout=0.1)
    clock.advance(LEASE - timedelta(milliseconds=1))
    await asyncio.wait({again}, timeout=0.1)
    assert not again.done()
    clock.advance(timedelta(seconds=1))

    assert await again == Granted(takeovers=1)
    assert not await one.settle(retrying(source=THERE))


async def test_a_claim_that_waits_hears_when_the_other_process_settles(made: Gateways, clock: ManualClock) -> None:
    one, _ = await made.start()
    other, _ = await made.start()
    await one.claim(KEY, HERE, durable=True)
    again = asyncio.ensure_future(other.claim(KEY, HERE, durable=True))
    await asyncio.wait({again}, timeout=0.1)
    assert await one.settle(retrying())
    clock.advance(timedelta(seconds=5))

    assert await again == Settled()


async def test_a_lease_is_measured_by_the_databases_clock(real: Gateways) -> None:
    quick = replace(real, config=PostgresLedgerConfig(lease=timedelta(seconds=0.4)))
    one, _ = await quick.start()
    other, _ = await quick.start()
    # Before the claim: its lease begins in the database, and is heard of later.
    asked = asyncio.get_running_loop().time()
    await one.claim(KEY, HERE, durable=True)

    assert await other.claim(KEY, HERE, durable=True) == Granted(takeovers=1)
    assert asyncio.get_running_loop().time() - asked > 0.3


async def test_of_many_claims_in_two_processes_one_is_granted(made: Gateways) -> None:
    ledgers = [(await made.start())[0] for _ in range(2)]
    answers = await asyncio.gather(
        *(ledgers[n % 2].claim(KEY, Source("t", 0, n), durable=bool(n % 3)) for n in range(40))
    )

    assert answers.count(Granted()) == 1
    assert answers.count(Forked()) == 39


async def test_of_many_ends_in_two_processes_one_has_effect(made: Gateways) -> None:
    ledgers = [(await made.start())[0] for _ in range(3)]
    for life in range(20):
        ends = [
            changed(expired(b"%d/%d" % (life, n), source=Source("t", 0, n)), life=(DELIVERY, life)) for n in range(9)
        ]
        effective = await asyncio.gather(*(ledgers[n % 3].settle(end) for n, end in enumerate(ends)))
        assert sum(effective) == 1

    assert len(await made.written()) == 20


async def test_the_claims_of_a_process_that_ends_in_order_are_free_at_once(made: Gateways) -> None:
    async with AsyncExitStack() as process:
        ending, _ = await replace(made, stack=process).start()
        await ending.claim(KEY, HERE, durable=True)
    other, _ = await made.start()

    assert await other.claim(KEY, HERE, durable=True) == Granted(takeovers=1)
