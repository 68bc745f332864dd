"""How lives end that do not go well at once: unreadable records, unknown outcomes, bugs, forks, configuration."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from tests.support.backends import Backend
from tests.support.clock import ManualClock
from tests.support.delivering import Delivering, delivering, make_delivery, record_of
from tests.support.scripted import ScriptedProvider, delivers
from tests.support.waiting import until
from tocsin import deadletter, hops
from tocsin.delivery import Delivery
from tocsin.lifecycle import Event
from tocsin.outcome import Delivered, Misconfigured, Outcome, Rejected, Unconfirmed
from tocsin.record import Record, replaced


def unconfirmed_once(delivery: Delivery, number: int) -> Outcome:
    return Unconfirmed(phase="data") if number == 1 else delivers(delivery, number)


async def endings(running: Delivering) -> list[Event]:
    """Return the terminal events."""
    ends = (Event.DELIVERED, Event.DEAD, Event.EXPIRED)
    return [event.type for event in await running.events() if event.type in ends]


def broken(record: Record, how: str) -> Record:
    """Return a record with one thing wrong."""
    match how:
        case "undecodable":
            return replace(record, value=b"\xff\xfe not json \x00")
        case "huge undecodable":
            return replace(record, value=b"\xff" * (960 * 1024))
        case "unknown_schema":
            headers = replaced(record.headers, {"ce_dataschema": b"urn:tocsin:schema:delivery:99"})
            return replace(record, headers=headers)
        case "invalid":
            return replace(record, value=b'{"id": "x"}')
        case "broken_headers":
            return replace(record, headers=replaced(record.headers, {hops.ATTEMPT: b"three"}))
    raise ValueError(how)


@pytest.mark.parametrize("how", ["undecodable", "huge undecodable", "unknown_schema", "invalid", "broken_headers"])
async def test_what_cannot_be_read_is_a_dead_letter_at_once_and_its_neighbour_is_not_affected(
    tmp_path: Path, backend: Backend, clock: ManualClock, how: str
) -> None:
    """Scenario 9."""
    async with delivering(tmp_path, clock, backend=backend) as running:
        bad = broken(record_of(make_delivery("bad@example.test", now=clock.now())), how)
        good = replace(record_of(make_delivery("good@example.test", now=clock.now())), key=bad.key)
        await running.write(bad, good)
        await running.settle_down()
        [letter] = await running.dead_letters()

        assert (letter.value, letter.key) == (bad.value, bad.key)
        assert deadletter.read(letter).reason == how.removeprefix("huge ")
        assert [call.address for call in running.provider.calls] == ["good@example.test"]
        assert sorted(await endings(running)) == [Event.DEAD, Event.DELIVERED]


async def test_an_unreadable_record_ends_the_life_that_its_headers_name(
    tmp_path: Path, backend: Backend, clock: ManualClock
) -> None:
    async with delivering(tmp_path, clock, backend=backend) as running:
        delivery = make_delivery("bad@example.test", now=clock.now())
        await running.write(broken(record_of(delivery), "undecodable"))
        await running.settle_down()
        [dead] = [event for event in await running.events() if event.type is Event.DEAD]

        assert (dead.delivery_id, dead.life) == (delivery.id, 0)


async def test_at_least_once_sends_once_more_after_an_unknown_outcome(
    tmp_path: Path, backend: Backend, clock: ManualClock
) -> None:
    """Scenario 13, first half."""
    async with delivering(
        tmp_path, clock, backend=backend, provider=ScriptedProvider(clock, unconfirmed_once)
    ) as running:
        await running.accept(make_delivery("ada@example.test", now=clock.now()))
        await running.run_until_over()
        outcomes = [e.data["outcome"] for e in await running.events() if e.type is Event.ATTEMPTED]

        assert outcomes == ["unconfirmed", "delivered"]
        assert await endings(running) == [Event.DELIVERED]


async def test_at_most_once_sends_once_and_says_that_it_does_not_know(
    tmp_path: Path, backend: Backend, clock: ManualClock
) -> None:
    """Scenario 13, second half."""
    async with delivering(
        tmp_path, clock, backend=backend, provider=ScriptedProvider(clock, unconfirmed_once)
    ) as running:
        await running.accept(make_delivery("ada@example.test", now=clock.now(), semantics="at_most_once"))
        await running.run_until_over()
        [letter] = await running.dead_letters()

        assert deadletter.read(letter).reason == "outcome_unknown"
        assert len(running.provider.calls) == 1


async def test_two_unknown_outcomes_are_a_dead_letter(tmp_path: Path, backend: Backend, clock: ManualClock) -> None:
    never = ScriptedProvider(clock, lambda *_: Unconfirmed(phase="data"))
    async with delivering(tmp_path, clock, backend=backend, provider=never) as running:
        await running.accept(make_delivery("ada@example.test", now=clock.now()))
        await running.run_until_over()
        [letter] = await running.dead_letters()

        assert deadletter.read(letter).reason == "outcome_unknown"
        assert len(running.provider.calls) == 2


async def test_a_rejection_is_a_dead_letter_with_the_providers_code(
    tmp_path: Path, backend: Backend, clock: ManualClock
) -> None:
    rejects = ScriptedProvider(clock, lambda *_: Rejected(reason="unknown mailbox", scope="address", code="550 5.1.1"))
    async with delivering(tmp_path, clock, backend=backend, provider=rejects) as running:
        await running.accept(make_delivery("ada@example.test", now=clock.now()))
        await running.run_until_over()
        [letter] = await running.dead_letters()
        hop = deadletter.read(letter).hop

        assert hop is not None
        assert hop.failure is not None
        assert (hop.reason, hop.failure.code) == ("rejected", "550 5.1.1")


async def test_what_cannot_be_rendered_is_a_dead_letter_without_a_call(
    tmp_path: Path, backend: Backend, clock: ManualClock
) -> None:
    async with delivering(tmp_path, clock, backend=backend) as running:
        running.carrier.refuse = lambda _: Rejected(reason="template_error", scope="message")
        await running.accept(make_delivery("ada@example.test", now=clock.now()))
        await running.run_until_over()

        assert await endings(running) == [Event.DEAD]
        assert running.provider.calls == []


async def test_wrong_settings_kill_no_message_and_are_no_attempt(
    tmp_path: Path, backend: Backend, clock: ManualClock
) -> None:
    def mended_later(_: Delivery, number: int) -> Outcome:
        return Misconfigured(detail="bad password") if number <= 20 else Delivered()

    async with delivering(tmp_path, clock, backend=backend, provider=ScriptedProvider(clock, mended_later)) as running:
        await running.accept(make_delivery("ada@example.test", now=clock.now()))
        await running.run_until_over()
        attempts = [event.attempt for event in await running.events() if event.type is Event.ATTEMPTED]

        assert await endings(running) == [Event.DELIVERED]
        assert attempts == [1]


@pytest.mark.parametrize("semantics", ["at_least_once", "at_most_once"])
async def test_a_bug_after_the_bytes_left_loses_nothing(
    tmp_path: Path, backend: Backend, clock: ManualClock, semantics: str
) -> None:
    buggy = ScriptedProvider(clock, lambda *_: ZeroDivisionError("ada@example.test"))
    async with delivering(tmp_path, clock, backend=backend, provider=buggy) as running:
        await running.accept(make_delivery("ada@example.test", now=clock.now(), semantics=semantics))  # type: ignore[arg-type]
        await running.run_until_over()
        [letter] = await running.dead_letters()
        told = deadletter.read(letter)

        once = semantics == "at_most_once"
        assert told.reason == ("outcome_unknown" if once else "handler_error")
        assert len(running.provider.calls) == (1 if once else 2)
        assert "ada@example.test" not in told.message


async def test_a_bug_before_the_bytes_left_is_tried_once_more(
    tmp_path: Path, backend: Backend, clock: ManualClock
) -> None:
    def bug(delivery: Delivery) -> None:
        raise ZeroDivisionError(delivery.address)

    async with delivering(tmp_path, clock, backend=backend) as running:
        running.carrier.refuse = bug
        await running.accept(make_delivery("ada@example.test", now=clock.now()))
        await running.run_until_over()
        [letter] = await running.dead_letters()

        assert deadletter.read(letter).reason == "handler_error"
        assert clock.monotonic() >= 5


async def test_a_fork_of_a_delivery_is_dropped_without_effect(
    tmp_path: Path, backend: Backend, clock: ManualClock
) -> None:
    async with delivering(tmp_path, clock, backend=backend) as running:
        record = record_of(make_delivery("ada@example.test", now=clock.now()))
        await running.write(record, record)
        await running.settle_down()
        await running.write(record)
        await running.settle_down()

        assert len(running.provider.calls) == 1
        assert await endings(running) == [Event.DELIVERED]


async def test_a_replay_is_a_life_of_its_own(tmp_path: Path, backend: Backend, clock: ManualClock) -> None:
    async with delivering(tmp_path, clock, backend=backend) as running:
        delivery = make_delivery("ada@example.test", now=clock.now())
        await running.write(record_of(delivery), record_of(delivery, life=1))
        await running.settle_down()

        assert sorted(call.key for call in running.provider.calls) == [f"{delivery.id}:0", f"{delivery.id}:1"]
        assert await endings(running) == [Event.DELIVERED, Event.DELIVERED]


async def test_a_call_under_way_when_the_worker_stops_is_waited_for(
    tmp_path: Path, backend: Backend, clock: ManualClock
) -> None:
    """Scenario 18, the part of the worker."""
    provider = ScriptedProvider(clock)
    provider.hold = asyncio.Event()
    async with delivering(tmp_path, clock, backend=backend, provider=provider) as running:
        await running.accept(*(make_delivery(f"{n}@example.test", now=clock.now()) for n in range(20)))
        await until(lambda: len(provider.calls) == 20, what="all calls to begin")
        stopping = asyncio.ensure_future(running.stop())
        await asyncio.sleep(0)
        provider.hold.set()
        await stopping
    async with delivering(tmp_path, clock, backend=backend, provider=provider) as running:
        await running.run_until_over()

        assert len(provider.calls) == 20
        assert await endings(running) == [Event.DELIVERED] * 20


async def test_a_channel_stops_when_most_of_its_records_cannot_be_read(
    tmp_path: Path, backend: Backend, clock: ManualClock
) -> None:
    async with delivering(tmp_path, clock, backend=backend, in_flight=1, window=10) as running:
        junk = [
            replace(broken(record_of(make_delivery("x@example.test", now=clock.now())), "undecodable"), key=b"%d" % n)
            for n in range(400)
        ]
        await running.write(*junk)
        await until(lambda: running.tally.halted, what="the channel to stop")
        await until(lambda: not any(worker._running for worker in running.workers), what="what ran to end")

        assert len(await running.dead_letters()) < 400


async def test_a_halted_channel_is_not_one_with_many_bad_addresses(
    tmp_path: Path, backend: Backend, clock: ManualClock
) -> None:
    rejects = ScriptedProvider(clock, lambda *_: Rejected(reason="unknown mailbox", scope="address"))
    async with delivering(tmp_path, clock, backend=backend, provider=rejects) as running:
        await running.accept(*(make_delivery(f"{n}@example.test", now=clock.now()) for n in range(300)))
        await running.settle_down()

        assert not running.tally.halted
        assert len(await running.dead_letters()) == 300
        assert clock.monotonic() < timedelta(seconds=1).total_seconds()
