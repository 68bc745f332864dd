"""Scenarios 10, 11 and 12: what is tried again, when, and how it ends."""

from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from tests.support.backends import Backend
from tests.support.clock import ManualClock
from tests.support.delivering import CHANNEL, Delivering, delivering, make_delivery
from tests.support.scripted import ScriptedProvider, delivers
from tocsin import deadletter, hops, topics
from tocsin.delivery import Delivery, Lane
from tocsin.lifecycle import Event
from tocsin.outcome import Deferred, Outcome, Throttled
from tocsin.tiers import TIERS

SCHEDULE = [5, 30, 120, 600, 3600, 3600, 3600]


def always_busy(delivery: Delivery, number: int) -> Outcome:
    del delivery, number
    return Deferred(cause="busy", code="451 4.3.0", message="try again later")


async def test_a_transient_error_is_tried_eight_times_on_schedule_then_dead(
    tmp_path: Path, backend: Backend, clock: ManualClock
) -> None:
    async with delivering(tmp_path, clock, backend=backend, provider=ScriptedProvider(clock, always_busy)) as running:
        delivery = make_delivery("ada@example.test", now=clock.now())
        await running.accept(delivery)
        await running.run_until_over()

        calls = [call.at for call in running.provider.calls]
        waits = [(after - before).total_seconds() for before, after in pairwise(calls)]
        assert len(calls) == 8
        for wait, tier in zip(waits, SCHEDULE, strict=True):
            assert tier <= wait <= tier * 1.05 + 1

        [letter] = await running.dead_letters()
        told = deadletter.read(letter)
        assert told.reason == "exhausted"
        assert told.hop is not None
        assert told.hop.attempt == 8
        assert [each.attempt for each in told.hop.history] == list(range(1, 9))

        types = [event.type for event in await running.events()]
        assert types.count(Event.ATTEMPTED) == 8
        assert types.count(Event.RETRYING) == 7
        assert types.count(Event.DEAD) == 1


async def test_a_dead_letter_is_what_was_accepted_byte_for_byte(
    tmp_path: Path, backend: Backend, clock: ManualClock
) -> None:
    async with delivering(tmp_path, clock, backend=backend, provider=ScriptedProvider(clock, always_busy)) as running:
        delivery = make_delivery("ada@example.test", now=clock.now())
        await running.accept(delivery)
        await running.run_until_over()
        [letter] = await running.dead_letters()
        [accepted] = await running.read(topics.delivery(CHANNEL, Lane.NORMAL))

    assert letter.value == accepted.value
    assert letter.key == accepted.key
    assert dict(letter.headers)["ce_id"] == delivery.id.encode()


@pytest.mark.parametrize("seconds", [301, 7 * 60, 3 * 3600 + 17])
async def test_retry_after_is_honoured_to_the_second(
    tmp_path: Path, backend: Backend, clock: ManualClock, seconds: int
) -> None:
    asked = timedelta(seconds=seconds)

    def once(delivery: Delivery, number: int) -> Outcome:
        return Throttled(scope="account", retry_after=asked) if number == 1 else delivers(delivery, number)

    async with delivering(tmp_path, clock, backend=backend, provider=ScriptedProvider(clock, once)) as running:
        await running.accept(make_delivery("ada@example.test", now=clock.now()))
        await running.run_until_over()

        first, second = running.provider.calls
        assert timedelta() <= second.at - first.at - asked < timedelta(seconds=1)


async def test_a_long_retry_after_holds_no_neighbour_up(tmp_path: Path, backend: Backend, clock: ManualClock) -> None:
    def script(delivery: Delivery, number: int) -> Outcome:
        if number > 1:
            return delivers(delivery, number)
        if delivery.address.startswith("slow"):
            return Throttled(scope="recipient", retry_after=timedelta(seconds=300))
        return Deferred(cause="busy")

    async with delivering(tmp_path, clock, backend=backend, provider=ScriptedProvider(clock, script)) as running:
        both = [
            make_delivery(f"{kind}{n}@example.test", now=clock.now()) for kind in ("slow", "quick") for n in range(20)
        ]
        await running.accept(*both)
        await running.run_until_over()

        starts = {call.address: call.at for call in reversed(running.provider.calls)}
        ends = {call.address: call.at for call in running.provider.calls}
        quick = [ends[a] - starts[a] for a in starts if a.startswith("quick")]
        slow = [ends[a] - starts[a] for a in starts if a.startswith("slow")]
        assert max(quick) < timedelta(seconds=6.5)
        assert min(slow) >= timedelta(seconds=300)
        assert max(slow) < timedelta(seconds=302)


async def test_a_retry_after_of_a_week_is_a_dead_letter(tmp_path: Path, backend: Backend, clock: ManualClock) -> None:
    week = ScriptedProvider(clock, lambda *_: Throttled(scope="account", retry_after=timedelta(days=7)))
    async with delivering(tmp_path, clock, backend=backend, provider=week) as running:
        await running.accept(make_delivery("ada@example.test", now=clock.now(), expires_in=timedelta(days=20)))
        await running.run_until_over()
        [letter] = await running.dead_letters()

        assert deadletter.read(letter).reason == "retry_after_too_long"
        assert len(running.provider.calls) == 1


async def test_what_cannot_be_tried_before_it_expires_has_expired(
    tmp_path: Path, backend: Backend, clock: ManualClock
) -> None:
    async with delivering(tmp_path, clock, backend=backend, provider=ScriptedProvider(clock, always_busy)) as running:
        await running.accept(make_delivery("ada@example.test", now=clock.now(), expires_in=timedelta(seconds=60)))
        await running.run_until_over()

        ended = [event.type for event in await running.events() if event.type is not Event.ATTEMPTED]
        assert ended[-1] is Event.EXPIRED
        assert await running.dead_letters() == []
        assert len(running.provider.calls) == 3


async def test_a_full_tier_survives_a_restart_on_time_and_whole(
    tmp_path: Path, backend: Backend, clock: ManualClock
) -> None:
    """Scenario 12, with more records than the window holds."""
    count = 400

    def first_busy(delivery: Delivery, number: int) -> Outcome:
        if number > 1:
            return delivers(delivery, number)
        wait = 31 + int(delivery.address.partition("@")[0]) * 7 % 500
        return Throttled(scope="recipient", retry_after=timedelta(seconds=wait))

    provider = ScriptedProvider(clock, first_busy)
    async with delivering(tmp_path, clock, backend=backend, provider=provider, window=20) as running:
        await running.accept(*(make_delivery(f"{n}@example.test", now=clock.now()) for n in range(count)))
        await running.settle_down()
        assert len(provider.calls) == count
    async with delivering(tmp_path, clock, backend=backend, provider=provider, window=20) as running:
        due = await _due_times(running)
        await running.run_until_over()

    second = provider.calls[count:]
    assert len(due) == count
    assert sorted(call.key for call in second) == sorted(f"{delivery}:0" for delivery in due)
    for call in second:
        assert call.at >= due[call.key.partition(":")[0]]


async def _due_times(running: Delivering) -> dict[str, datetime]:
    """Return when each waiting delivery is due."""
    due = {}
    for tier in TIERS:
        for received in await running.read(topics.retry(CHANNEL, Lane.NORMAL, tier)):
            not_before = hops.read(received.headers).not_before
            assert not_before is not None
            due[dict(received.headers)["ce_id"].decode()] = not_before
    return due
