"""What stands in for a provider where a test is sent: it comes to what its address says, and leaves no trace."""

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest

from channels import rehearsal
from channels.reading import Readable
from tests.support.clock import ManualClock
from tests.support.delivering import Delivering, delivering, make_delivery
from tests.support.scripted import ScriptedProvider
from tests.support.waiting import until
from tocsin import deadletter, hops, magic, schemas
from tocsin.delivery import Delivery
from tocsin.lifecycle import Event, State
from tocsin.outcome import Delivered, Rejected

NEVER = "a provider was called for a test"


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


def rehearsed(clock: ManualClock, name: str) -> Delivery:
    return msgspec.structs.replace(make_delivery(f"{name}@magic.invalid", now=clock.now()), test=True)


def untouched(running: Delivering) -> bool:
    """Return whether the provider, its route and the counters know of nothing."""
    assert running.provider.dials == []
    [condition] = running.routes.conditions.values()
    told = running.tally._metrics.render()[0].decode()
    return not condition.why and "tocsin_attempts_total{" not in told and "tocsin_deliveries_total{" not in told


def refusing(clock: ManualClock) -> ScriptedProvider:
    return ScriptedProvider(clock, lambda *_: AssertionError(NEVER))


ENDINGS = {
    "delivered": State.DELIVERED,
    "confirmed": State.DELIVERED,
    "read": State.DELIVERED,
    "bounced": State.DELIVERED,
    "complained": State.DELIVERED,
    "opted-out": State.DELIVERED,
    "rejected-address": State.DEAD,
    "rejected-message": State.DEAD,
    "deferred-once": State.DELIVERED,
    "deferred": State.DEAD,
    "throttled-once": State.DELIVERED,
    "unconfirmed": State.DEAD,
    "suppressed": State.SUPPRESSED,
}


async def test_every_magic_recipient_ends_as_it_says(tmp_path: Path, clock: ManualClock) -> None:
    assert list(ENDINGS) == list(magic.ALL)
    async with delivering(tmp_path, clock, provider=refusing(clock)) as running:
        given = {name: rehearsed(clock, name) for name in ENDINGS}
        await running.accept(*given.values())
        await running.run_until_over()
        events = await running.events()
        told = {event.delivery_id: State(event.type.rpartition(".")[2]) for event in events if _ends(event.type)}
        receipts = {event.delivery_id: event for event in events if event.type.startswith("tocsin.receipt.")}

        assert told == {given[name].id: state for name, state in ENDINGS.items()}
        assert {key: event.type for key, event in receipts.items()} == {
            given[name].id: each.receipt for name, each in magic.ALL.items() if each.receipt is not None
        }
        for event in receipts.values():
            assert schemas.load("audit-event").faults(msgspec.to_builtins(event)) == ()
            assert "address" not in event.data
        assert not [event for event in events if "suppress" in event.data]
        assert untouched(running)


def _ends(event: Event) -> bool:
    return event in {Event.DELIVERED, Event.DEAD, Event.SUPPRESSED, Event.EXPIRED}


async def test_what_cannot_be_rendered_dies_as_it_would(tmp_path: Path, clock: ManualClock) -> None:
    async with delivering(tmp_path, clock, provider=refusing(clock)) as running:
        running.carrier.refuse = lambda _: Rejected(reason="message_too_large", scope="message")
        await running.accept(rehearsed(clock, "delivered"))
        await running.settle_down()
        [letter] = await running.dead_letters()
        hop = deadletter.read(letter).hop

        assert hop is not None
        assert hop.failure is not None
        assert hop.failure.code == "message_too_large"
        assert untouched(running)


async def test_a_bug_that_tests_meet_does_not_halt_the_channel(tmp_path: Path, clock: ManualClock) -> None:
    def broken(_: Delivery) -> None:
        raise RuntimeError

    async with delivering(tmp_path, clock, provider=refusing(clock)) as running:
        running.carrier.refuse = broken
        await running.accept(*(rehearsed(clock, f"delivered+{number}") for number in range(110)))
        await running.run_until_over()

        assert len(await running.dead_letters()) == 110
        assert not running.tally.halted
        assert untouched(running)


async def test_tests_do_not_wait_for_a_provider_that_has_no_room(tmp_path: Path, clock: ManualClock) -> None:
    provider = ScriptedProvider(clock, max_in_flight=1)
    provider.hold = asyncio.Event()
    async with delivering(tmp_path, clock, provider=provider) as running, asyncio.timeout(20):
        await running.accept(make_delivery("ada@example.test", now=clock.now()))
        await until(lambda: len(provider.calls) == 1, what="the only call that the provider takes at once")
        await running.accept(*(rehearsed(clock, f"delivered+{number}") for number in range(20)))
        while await delivered(running) != 20:
            pass
        provider.hold.set()
        await running.settle_down()

        assert await delivered(running) == 21
        assert [call.address for call in provider.calls] == ["ada@example.test"]


async def delivered(running: Delivering) -> int:
    return sum(event.type is Event.DELIVERED for event in await running.events())


async def test_the_provider_claims_before_it_answers(clock: ManualClock) -> None:
    claims = 0

    async def claim() -> None:
        nonlocal claims
        claims += 1

    found = Readable(delivery=rehearsed(clock, "delivered"), hop=hops.first(now=clock.now(), expires_at=clock.now()))
    provider: Any = rehearsal.RehearsalProvider()
    outcome = await provider.send(rehearsal.of(found), key="dlv_x:0", deadline=0.0, claim=claim)

    assert outcome == Delivered(provider_id="test-dlv_x:0", code="test")
    assert claims == 1


async def test_a_test_that_waited_until_its_time_was_over_is_not_counted(tmp_path: Path, clock: ManualClock) -> None:
    async with delivering(tmp_path, clock, provider=refusing(clock)) as running:
        late = rehearsed(clock, "delivered")
        clock.advance(late.expires_at - clock.now())
        await running.accept(late)
        await running.settle_down()

        assert [event.type for event in await running.events()] == [Event.EXPIRED]
        assert untouched(running)
