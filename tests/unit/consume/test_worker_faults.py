"""What our own faults and poisoned records may do to the delivery path: cost an attempt, never a delivery or a lane."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from tests.support.clock import ManualClock
from tests.support.delivering import Delivering, delivering, make_delivery, record_of
from tests.support.scripted import ScriptedProvider
from tests.support.waiting import until
from tocsin import hops, topics
from tocsin.delivery import Delivery, Lane
from tocsin.errors import LogUnavailable
from tocsin.eventlog.embedded.log import EmbeddedLog
from tocsin.ledger.port import Settlement
from tocsin.lifecycle import Event
from tocsin.outcome import Deferred, Delivered, Misconfigured, Outcome
from tocsin.record import Record, replaced
from tocsin.tiers import TIERS

ENDINGS = {Event.DELIVERED, Event.DEAD, Event.EXPIRED}


async def endings(work: Delivering, delivery: Delivery) -> list[Event]:
    events = await work.events()
    return [event.type for event in events if event.delivery_id == delivery.id and event.type in ENDINGS]


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(datetime(2030, 1, 1, tzinfo=UTC))


async def test_a_providers_text_with_half_a_character_pair_does_not_lose_the_delivery(
    tmp_path: Path, clock: ManualClock
) -> None:
    """SMTP libraries decode replies with surrogateescape: no such text may come between a send and its settlement."""

    def garbled(delivery: Delivery, number: int) -> Outcome:
        del delivery
        return Deferred(cause="busy", code="451", message="verf\udcfcgbar") if number == 1 else Delivered()

    delivery = make_delivery("ann@example.org", now=clock.now())
    async with delivering(tmp_path, clock, provider=ScriptedProvider(clock, garbled)) as work:
        await work.accept(delivery)
        await work.run_until_over()

        assert len(await endings(work, delivery)) == 1


async def test_a_bug_between_a_send_and_its_settlement_does_not_lose_the_delivery(
    tmp_path: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The claim names the first record: the one parked after the bug must not be taken for a fork and dropped."""
    delivery = make_delivery("ann@example.org", now=clock.now())
    async with delivering(tmp_path, clock) as work:
        attempted, bugs = work.tally.attempted, [1]

        def buggy(attempt: object) -> None:
            if bugs:
                bugs.pop()
                raise ZeroDivisionError
            attempted(attempt)  # type: ignore[arg-type]

        monkeypatch.setattr(work.tally, "attempted", buggy)
        await work.accept(delivery)
        await work.run_until_over()

        assert len(await endings(work, delivery)) == 1


def poisoned(delivery: Delivery) -> list[Record]:
    """Return records of retry and delivery topics whose headers break parsers rather than rules."""
    whole = record_of(delivery)
    whole = replace(whole, headers=replaced(whole.headers, {hops.NOT_BEFORE: b"0"}))
    changes = [
        {hops.ORIGIN: b"a/" + b"1" * 5000 + b"/1"},
        {hops.HISTORY: b'[{"x":' + b"[" * 5000 + b"]" * 5000 + b"}]"},
        {"ce_time": b"0001-01-01T00:00:00+23:59"},
    ]
    retry = topics.retry("email", Lane.NORMAL, TIERS[0])
    return [
        replace(whole, topic=topic, headers=replaced(whole.headers, change))
        for change in changes
        for topic in (whole.topic, retry)
    ]


@pytest.mark.parametrize("number", range(6))
async def test_a_record_that_breaks_a_parser_is_a_dead_letter_and_its_neighbours_live(
    tmp_path: Path, clock: ManualClock, number: int
) -> None:
    bad, good = (make_delivery("ann@example.org", now=clock.now()) for _ in range(2))
    record = poisoned(bad)[number]
    async with delivering(tmp_path, clock) as work:
        await work.write(record)
        await work.accept(good)
        await until(lambda: work.provider.calls or any(task.done() for task in work.tasks), what="the neighbour")
        alive = not any(task.done() for task in work.tasks)
        for task in work.tasks:
            if task.done():
                task.exception()
        work.tasks = [task for task in work.tasks if not task.done()]
        if alive:
            await work.run_until_over()
        letters = await work.dead_letters()

    assert alive
    assert [letter.value for letter in letters] == [record.value]


async def test_a_claim_that_could_not_be_given_back_is_no_unknown_outcome(
    tmp_path: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The route was misconfigured, so no attempt was made: a log that fails just then must not turn it into one."""

    def misconfigured(delivery: Delivery, number: int) -> Outcome:
        del delivery
        return Misconfigured(detail="key") if number == 1 else Delivered()

    delivery = make_delivery("ann@example.org", now=clock.now(), semantics="at_most_once")
    async with delivering(tmp_path, clock, provider=ScriptedProvider(clock, misconfigured)) as work:
        settle, fails = work.ledger.settle, [1]

        async def unsteady(settlement: Settlement) -> bool:
            if fails and settlement.gives_back is not None:
                fails.pop()
                raise LogUnavailable("the disk is full")
            return await settle(settlement)

        monkeypatch.setattr(work.ledger, "settle", unsteady)
        log = work.log
        assert isinstance(log, EmbeddedLog)
        await work.accept(delivery)
        for _ in range(40):
            await until(lambda: clock.next_due() is not None, what="something to wait for")
            clock.advance(timedelta(seconds=5))
            await until(lambda: not log._writer.queued, what="the log")
            if await endings(work, delivery):
                break

        assert not fails
        assert await endings(work, delivery) == [Event.DELIVERED]
