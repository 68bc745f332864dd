"""What every ledger does over its log: submits. Nothing here knows which ledger it is."""

import asyncio
from datetime import timedelta

import pytest
from msgspec.structs import replace

from tests.contract.conftest import OpenLedger
from tests.contract.ledger_samples import HERE, KEY, SPECS, record, submission, written
from tests.support.clock import ManualClock
from tocsin.errors import TopicMismatch
from tocsin.ledger.port import Accepted, Conflicting, Granted, Ledger, Repeated, Submission


async def test_a_new_key_is_accepted_and_its_records_written(open_ledger: OpenLedger, clock: ManualClock) -> None:
    async with open_ledger() as (log, ledger):
        await log.ensure_topics(SPECS)

        assert await ledger.submit([submission(clock=clock)]) == [Accepted()]
        assert await written(log) == [b"a", b"a+"]


async def test_a_key_with_the_same_body_is_answered_as_the_first_time(
    open_ledger: OpenLedger, clock: ManualClock
) -> None:
    async with open_ledger() as (log, ledger):
        await log.ensure_topics(SPECS)
        await ledger.submit([submission(clock=clock)])
        assert await ledger.submit([submission(b"b", clock=clock)]) == [Repeated(answer=b"answer to a")]
    async with open_ledger() as (log, ledger):
        assert await ledger.submit([submission(b"c", clock=clock)]) == [Repeated(answer=b"answer to a")]
        assert await written(log) == [b"a", b"a+"]


async def test_a_key_with_another_body_is_a_conflict(open_ledger: OpenLedger, clock: ManualClock) -> None:
    async with open_ledger() as (log, ledger):
        await log.ensure_topics(SPECS)
        await ledger.submit([submission(clock=clock)])
        assert await ledger.submit([submission(b"b", clock=clock, body=b"other")]) == [Conflicting()]
    async with open_ledger() as (log, ledger):
        assert await ledger.submit([submission(b"b", clock=clock, body=b"other")]) == [Conflicting()]
        assert await written(log) == [b"a", b"a+"]


async def test_a_key_is_new_again_when_it_has_expired(open_ledger: OpenLedger, clock: ManualClock) -> None:
    async with open_ledger() as (log, ledger):
        await log.ensure_topics(SPECS)
        await ledger.submit([submission(clock=clock)])
        clock.advance(timedelta(hours=1) - timedelta(milliseconds=1))
        assert await ledger.submit([submission(b"b", clock=clock)]) == [Repeated(answer=b"answer to a")]
        clock.advance(timedelta(milliseconds=1))

        assert await ledger.submit([submission(b"c", clock=clock, body=b"other")]) == [Accepted()]
        assert await ledger.submit([submission(b"d", clock=clock)]) == [Conflicting()]
        assert await written(log) == [b"a", b"a+", b"c", b"c+"]


async def test_one_key_of_two_tenants_is_two(open_ledger: OpenLedger, clock: ManualClock) -> None:
    async with open_ledger() as (log, ledger):
        await log.ensure_topics(SPECS)
        both = [submission(clock=clock, tenant="one"), submission(b"b", clock=clock, tenant="two", body=b"other")]

        assert await ledger.submit(both) == [Accepted(), Accepted()]
        assert len(await written(log)) == 4


async def test_without_a_key_every_submit_is_new(open_ledger: OpenLedger) -> None:
    async with open_ledger() as (log, ledger):
        await log.ensure_topics(SPECS)
        one = Submission(records=(record(b"x"),), answer=b"")

        assert await ledger.submit([one, one]) == [Accepted(), Accepted()]
        assert await written(log) == [b"x", b"x"]


async def test_a_key_twice_in_one_batch_is_accepted_once(open_ledger: OpenLedger, clock: ManualClock) -> None:
    async with open_ledger() as (log, ledger):
        await log.ensure_topics(SPECS)
        batch = [
            submission(clock=clock),
            submission(b"b", clock=clock),
            submission(b"c", clock=clock, body=b"other"),
            submission(b"d", clock=clock, key="another"),
        ]
        answers = await ledger.submit(batch)

        assert answers == [Accepted(), Repeated(answer=b"answer to a"), Conflicting(), Accepted()]
        assert await written(log) == [b"a", b"a+", b"d", b"d+"]


async def test_a_hundred_submits_of_one_key_at_once_are_one(open_ledger: OpenLedger, clock: ManualClock) -> None:
    """Scenario 14."""

    async def submit(ledger: Ledger, number: int) -> object:
        [answer] = await ledger.submit([submission(b"%d" % number, clock=clock)])
        return answer

    async with open_ledger() as (log, ledger):
        await log.ensure_topics(SPECS)
        answers = await asyncio.gather(*(submit(ledger, number) for number in range(100)))
        values = await written(log)

    first = answers.index(Accepted())
    assert answers.count(Accepted()) == 1
    assert answers.count(Repeated(answer=b"answer to %d" % first)) == 99
    assert values == [b"%d" % first, b"%d+" % first]


async def test_a_submit_to_nowhere_writes_nothing_and_keeps_no_key(open_ledger: OpenLedger, clock: ManualClock) -> None:
    async with open_ledger() as (log, ledger):
        await log.ensure_topics(SPECS)
        good = submission(clock=clock)
        broken = replace(good, records=(record(b"x"), record(b"y", topic="notifications.nowhere")))
        with pytest.raises(TopicMismatch):
            await ledger.submit([broken])

        assert await written(log) == []
        assert await ledger.submit([good]) == [Accepted()]
        assert await written(log) == [b"a", b"a+"]


async def test_what_is_done_side_by_side_does_not_fail_with_a_neighbour(
    open_ledger: OpenLedger, clock: ManualClock
) -> None:
    async with open_ledger() as (log, ledger):
        await log.ensure_topics(SPECS)
        broken = Submission(records=(record(b"y", topic="notifications.nowhere"),), answer=b"")
        found = await asyncio.gather(
            ledger.submit([submission(b"a", clock=clock, key="1")]),
            ledger.submit([broken]),
            ledger.claim(KEY, HERE, durable=False),
            ledger.submit([submission(b"b", clock=clock, key="2")]),
            return_exceptions=True,
        )

        assert [found[0], found[2], found[3]] == [[Accepted()], Granted(), [Accepted()]]
        assert isinstance(found[1], TopicMismatch)
        assert sorted(await written(log)) == [b"a", b"a+", b"b", b"b+"]


async def test_a_submit_that_nobody_waits_for_any_more_is_found_by_its_repeat(
    open_ledger: OpenLedger, clock: ManualClock
) -> None:
    async with open_ledger() as (log, ledger):
        await log.ensure_topics(SPECS)
        for turns in range(1, 6):
            asked = submission(b"%d" % turns, clock=clock, key=f"k{turns}")
            given_up = asyncio.create_task(ledger.submit([asked]))
            for _ in range(turns):
                await asyncio.sleep(0)
            given_up.cancel()
            await asyncio.gather(given_up, return_exceptions=True)

            assert await ledger.submit([asked]) == [Repeated(answer=asked.answer)]
        assert set(await written(log)) == {b"%d%s" % (n, end) for n in range(1, 6) for end in (b"", b"+")}
