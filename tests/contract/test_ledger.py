"""What every ledger does over its log: claims, settlements and submits. Nothing here knows which one it is."""

import asyncio
from datetime import timedelta

import pytest
from msgspec.structs import replace

from tests.contract.conftest import OpenLedger
from tests.support.clock import ManualClock
from tests.support.logs import NOW, reading
from tocsin.errors import TopicMismatch
from tocsin.eventlog.port import EventLog
from tocsin.ledger.port import (
    Accepted,
    AttemptKey,
    Conflicting,
    Forked,
    Granted,
    Ledger,
    Repeated,
    Settled,
    Settlement,
    Submission,
    SubmitClaim,
)
from tocsin.lifecycle import State
from tocsin.record import Record, Source
from tocsin.topics import TopicSpec

TOPIC = "notifications.test"
SPECS = [TopicSpec(name=TOPIC, kind="delivery")]
DELIVERY = "dlv_" + "0" * 26
KEY = AttemptKey(DELIVERY, 0, 1)
HERE, THERE = Source("notifications.email", 1, 2), Source("notifications.email", 1, 3)
LEASE = timedelta(seconds=90)


def record(value: bytes, *, topic: str = TOPIC) -> Record:
    return Record(topic=topic, key=b"k", value=value)


def retrying(value: bytes = b"retry", *, key: AttemptKey = KEY, source: Source = HERE) -> Settlement:
    return Settlement(source=source, records=(record(value),), key=key, life=(key.delivery_id, key.life))


def ending(value: bytes = b"end", *, key: AttemptKey | None = KEY, source: Source = HERE, life: int = 0) -> Settlement:
    return Settlement(source=source, records=(record(value),), key=key, life=(DELIVERY, life), terminal=State.DELIVERED)


def submission(
    value: bytes = b"a", *, clock: ManualClock, tenant: str = "t", key: str = "k", body: bytes = b"body"
) -> Submission:
    claim = SubmitClaim(tenant=tenant, key=key, fingerprint=body, expires_at=clock.now() + timedelta(hours=1))
    return Submission(records=(record(value), record(value + b"+")), answer=b"answer to " + value, claim=claim)


async def written(log: EventLog) -> list[bytes]:
    """Return everything in the topic so far."""
    found: list[bytes] = []
    async with reading(log, TOPIC, group="look") as subscription:
        await subscription.seek(dict.fromkeys(subscription.assigned, 0))
        while records := await subscription.fetch(limit=1000, wait=NOW):
            found.extend(each.value for each in records)
    return found


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
