"""What every ledger does over its log: claims of attempts. Nothing here knows which ledger it is."""

import asyncio
from datetime import timedelta

import pytest

from tests.contract.conftest import OpenLedger
from tests.contract.ledger_samples import DELIVERY, HERE, KEY, LEASE, SPECS, THERE, ending, retrying
from tests.support.clock import ManualClock
from tocsin.ledger.port import AttemptKey, Forked, Granted, Settled, Settlement
from tocsin.record import Source


@pytest.mark.parametrize("durable", [True, False])
async def test_a_claim_is_granted_to_the_first_who_asks(open_ledger: OpenLedger, durable: bool) -> None:
    async with open_ledger() as (_, ledger):
        assert await ledger.claim(KEY, HERE, durable=durable) == Granted(takeovers=0)


@pytest.mark.parametrize("durable", [True, False])
async def test_another_source_is_a_fork_while_the_first_runs(open_ledger: OpenLedger, durable: bool) -> None:
    async with open_ledger() as (_, ledger):
        await ledger.claim(KEY, HERE, durable=durable)

        assert await ledger.claim(KEY, THERE, durable=durable) == Forked()


async def test_of_two_sources_at_once_one_is_granted(open_ledger: OpenLedger) -> None:
    async with open_ledger() as (_, ledger):
        answers = await asyncio.gather(
            *(ledger.claim(KEY, Source("t", 0, offset), durable=True) for offset in range(20))
        )

    assert sorted(map(repr, answers)) == sorted([repr(Forked())] * 19 + [repr(Granted(takeovers=0))])


async def test_another_source_is_a_fork_after_a_crash_too(open_ledger: OpenLedger) -> None:
    async with open_ledger() as (_, ledger):
        await ledger.claim(KEY, HERE, durable=True)
    async with open_ledger() as (_, ledger):
        assert await ledger.claim(KEY, THERE, durable=True) == Forked()


async def test_each_crash_is_a_takeover_by_the_same_source(open_ledger: OpenLedger) -> None:
    for takeovers in range(4):
        async with open_ledger() as (_, ledger):
            assert await ledger.claim(KEY, HERE, durable=True) == Granted(takeovers=takeovers)


async def test_attempts_lives_and_deliveries_are_claimed_apart(open_ledger: OpenLedger) -> None:
    keys = [AttemptKey(name, life, attempt) for name in ("dlv_a", "dlv_b") for life in (0, 1) for attempt in (1, 2)]
    async with open_ledger() as (_, ledger):
        for offset, key in enumerate(keys):
            assert await ledger.claim(key, Source("t", 0, offset), durable=True) == Granted()


async def test_the_same_source_waits_until_its_earlier_attempt_is_settled(open_ledger: OpenLedger) -> None:
    async with open_ledger() as (log, ledger):
        await log.ensure_topics(SPECS)
        await ledger.claim(KEY, HERE, durable=True)
        again = asyncio.ensure_future(ledger.claim(KEY, HERE, durable=True))
        await asyncio.wait({again}, timeout=0.05)
        assert not again.done()
        await ledger.settle(retrying())

        assert await again == Settled()


async def test_the_same_source_takes_over_when_the_lease_of_its_earlier_attempt_is_over(
    open_ledger: OpenLedger, clock: ManualClock
) -> None:
    async with open_ledger() as (_, ledger):
        await ledger.claim(KEY, HERE, durable=True)
        again = asyncio.ensure_future(ledger.claim(KEY, HERE, durable=True))
        await asyncio.wait({again}, timeout=0.05)
        clock.advance(LEASE - timedelta(milliseconds=1))
        await asyncio.wait({again}, timeout=0.05)
        assert not again.done()
        clock.advance(timedelta(milliseconds=1))

        assert await again == Granted(takeovers=1)


@pytest.mark.parametrize("reopened", [False, True])
async def test_a_settled_attempt_is_settled_for_its_source_and_a_fork_for_others(
    open_ledger: OpenLedger, reopened: bool
) -> None:
    async with open_ledger() as (log, ledger):
        await log.ensure_topics(SPECS)
        await ledger.claim(KEY, HERE, durable=False)
        assert await ledger.settle(retrying())
        if not reopened:
            assert await ledger.claim(KEY, HERE, durable=True) == Settled()
            assert await ledger.claim(KEY, THERE, durable=True) == Forked()
    async with open_ledger() as (_, ledger):
        assert await ledger.claim(KEY, HERE, durable=True) == Settled()
        assert await ledger.claim(KEY, THERE, durable=True) == Forked()


async def test_an_ended_life_grants_no_further_attempt(open_ledger: OpenLedger) -> None:
    async with open_ledger() as (log, ledger):
        await log.ensure_topics(SPECS)
        await ledger.settle(ending(key=None))

        assert await ledger.claim(KEY, THERE, durable=True) == Forked()
        assert await ledger.claim(KEY, HERE, durable=True) == Settled()
        assert await ledger.claim(AttemptKey(DELIVERY, 1, 1), THERE, durable=True) == Granted()


def giving_back(source: Source) -> Settlement:
    """Return what is settled when a claim came to nothing."""
    return Settlement(source=source, records=(), gives_back=KEY, life=(DELIVERY, 0))


async def test_a_claim_given_back_is_anybodys_and_no_takeover(open_ledger: OpenLedger) -> None:
    async with open_ledger() as (_, ledger):
        await ledger.claim(KEY, HERE, durable=True)
        await ledger.settle(giving_back(HERE))

        assert await ledger.claim(KEY, THERE, durable=True) == Granted(takeovers=0)


async def test_a_claim_of_somebody_else_is_not_given_back(open_ledger: OpenLedger) -> None:
    async with open_ledger() as (_, ledger):
        await ledger.claim(KEY, HERE, durable=True)
        await ledger.settle(giving_back(THERE))

        assert await ledger.claim(KEY, THERE, durable=True) == Forked()


async def test_a_settled_attempt_cannot_be_given_back(open_ledger: OpenLedger) -> None:
    async with open_ledger() as (log, ledger):
        await log.ensure_topics(SPECS)
        await ledger.claim(KEY, HERE, durable=True)
        await ledger.settle(retrying())
        await ledger.settle(giving_back(HERE))

        assert await ledger.claim(KEY, HERE, durable=True) == Settled()
