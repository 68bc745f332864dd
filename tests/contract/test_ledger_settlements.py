"""What every ledger does over its log: settlements. Nothing here knows which ledger it is."""

import asyncio

import pytest
from msgspec.structs import replace

from tests.contract.conftest import OpenLedger
from tests.contract.ledger_samples import DELIVERY, HERE, KEY, SPECS, THERE, ending, record, retrying, written
from tocsin.errors import TopicMismatch
from tocsin.ledger.port import AttemptKey, Granted
from tocsin.lifecycle import State
from tocsin.record import Source


async def test_a_settlement_writes_its_records(open_ledger: OpenLedger) -> None:
    async with open_ledger() as (log, ledger):
        await log.ensure_topics(SPECS)
        await ledger.claim(KEY, HERE, durable=True)

        assert await ledger.settle(replace(retrying(), records=(record(b"one"), record(b"two"))))
        assert await written(log) == [b"one", b"two"]


async def test_a_settlement_given_twice_writes_once(open_ledger: OpenLedger) -> None:
    async with open_ledger() as (log, ledger):
        await log.ensure_topics(SPECS)
        await ledger.claim(KEY, HERE, durable=True)
        first, second = await ledger.settle(retrying()), await ledger.settle(retrying())
        assert (first, second) == (True, False)
    async with open_ledger() as (log, ledger):
        assert not await ledger.settle(retrying())
        assert await written(log) == [b"retry"]


async def test_a_settlement_of_a_claim_that_was_lost_with_a_crash_is_written(open_ledger: OpenLedger) -> None:
    """Under at_least_once a claim need not be on disk when its attempt ends."""
    async with open_ledger() as (log, ledger):
        await log.ensure_topics(SPECS)

        assert await ledger.settle(retrying())
        assert await written(log) == [b"retry"]


async def test_a_fork_cannot_settle_what_another_source_has_claimed(open_ledger: OpenLedger) -> None:
    async with open_ledger() as (log, ledger):
        await log.ensure_topics(SPECS)
        await ledger.claim(KEY, HERE, durable=True)

        assert not await ledger.settle(retrying(b"fork", source=THERE))
        assert await ledger.settle(retrying(b"owner"))
        assert await written(log) == [b"owner"]


async def test_a_life_ends_once(open_ledger: OpenLedger) -> None:
    async with open_ledger() as (log, ledger):
        await log.ensure_topics(SPECS)
        other = replace(ending(b"other", key=None, source=THERE), terminal=State.EXPIRED)

        assert await ledger.settle(ending())
        assert not await ledger.settle(other)
        assert not await ledger.settle(ending(b"again", key=None))
        assert await written(log) == [b"end"]
    async with open_ledger() as (log, ledger):
        assert not await ledger.settle(other)
        assert await written(log) == [b"end"]


async def test_of_many_ends_at_once_one_has_effect(open_ledger: OpenLedger) -> None:
    async with open_ledger() as (log, ledger):
        await log.ensure_topics(SPECS)
        ends = [ending(b"%d" % n, key=None, source=Source("t", 0, n)) for n in range(50)]
        effective = await asyncio.gather(*map(ledger.settle, ends))

        assert sum(effective) == 1
        assert await written(log) == [b"%d" % effective.index(True)]


async def test_an_ended_life_takes_no_retry_any_more(open_ledger: OpenLedger) -> None:
    async with open_ledger() as (log, ledger):
        await log.ensure_topics(SPECS)
        await ledger.settle(ending())

        assert not await ledger.settle(retrying(key=AttemptKey(DELIVERY, 0, 2)))
        assert await written(log) == [b"end"]


async def test_an_end_whose_attempt_is_another_sources_leaves_the_life_open(open_ledger: OpenLedger) -> None:
    async with open_ledger() as (log, ledger):
        await log.ensure_topics(SPECS)
        await ledger.claim(KEY, HERE, durable=True)

        assert not await ledger.settle(ending(b"fork", source=THERE))
        assert await ledger.settle(ending(b"owner"))
        assert await written(log) == [b"owner"]


async def test_the_next_life_ends_by_itself(open_ledger: OpenLedger) -> None:
    async with open_ledger() as (log, ledger):
        await log.ensure_topics(SPECS)

        assert await ledger.settle(ending(b"0", key=None))
        assert await ledger.settle(ending(b"1", key=None, life=1))
        assert await written(log) == [b"0", b"1"]


async def test_a_retry_is_followed_by_the_next_attempt_of_another_source(open_ledger: OpenLedger) -> None:
    second = AttemptKey(DELIVERY, 0, 2)
    async with open_ledger() as (log, ledger):
        await log.ensure_topics(SPECS)
        await ledger.claim(KEY, HERE, durable=True)
        await ledger.settle(retrying())

        assert await ledger.claim(second, THERE, durable=True) == Granted()
        assert await ledger.settle(ending(key=second, source=THERE))
        assert await written(log) == [b"retry", b"end"]


async def test_a_settlement_with_a_record_to_nowhere_writes_and_settles_nothing(open_ledger: OpenLedger) -> None:
    async with open_ledger() as (log, ledger):
        await log.ensure_topics(SPECS)
        await ledger.claim(KEY, HERE, durable=True)
        broken = replace(ending(), records=(record(b"x"), record(b"y", topic="notifications.nowhere")))
        with pytest.raises(TopicMismatch):
            await ledger.settle(broken)

        assert await written(log) == []
        assert await ledger.settle(ending())
        assert await written(log) == [b"end"]
