"""A provider that is down, throttled or misconfigured, and another one beside it (scenarios 8 and 11)."""

from collections import Counter
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from channels.breaker import BreakerPolicy
from channels.route import RouteState
from tests.support.clock import ManualClock
from tests.support.delivering import Delivering, delivering, make_delivery
from tests.support.scripted import ScriptedProvider, delivers
from tocsin import deadletter
from tocsin.delivery import Delivery
from tocsin.lifecycle import Event
from tocsin.outcome import Deferred, Misconfigured, Outcome, Rejected, Throttled, Unconfirmed

REFUSED = Deferred(cause="connection_refused")
ACCOUNT = Throttled(scope="account", retry_after=timedelta(seconds=300), code="429")
SECOND = timedelta(seconds=1)


async def accept(running: Delivering, count: int, *, prefix: str = "a") -> None:
    now = running.clock.now()
    await running.accept(*(make_delivery(f"{prefix}{n}@example.test", now=now) for n in range(count)))


async def attempts(running: Delivering) -> int:
    return [event.type for event in await running.events()].count(Event.ATTEMPTED)


async def route_states(running: Delivering) -> list[str]:
    changes = [event for event in await running.events() if event.type is Event.ROUTE_CHANGED]
    return [event.data["state"] for event in sorted(changes, key=lambda event: event.time)]


async def delivered(running: Delivering) -> int:
    return [event.type for event in await running.events()].count(Event.DELIVERED)


async def pass_time(running: Delivering, span: timedelta) -> None:
    """Move on by a span, second by second."""
    for _ in range(span // SECOND):
        running.clock.advance(SECOND)
        await running.settle_down()


async def test_while_the_provider_is_down_it_is_probed_and_nothing_is_burned(tmp_path: Path) -> None:
    """Scenario 8."""
    clock = ManualClock()
    provider = ScriptedProvider(clock, max_in_flight=16)
    async with delivering(tmp_path, clock, provider=provider, in_flight=32) as running:
        provider.unreachable = REFUSED
        for _ in range(60):
            await accept(running, 4)
            await pass_time(running, 10 * SECOND)
        down = await attempts(running)
        probes = [at for at in provider.dials if at > provider.dials[0] + 60 * SECOND]
        provider.unreachable = None
        mended = clock.now()
        await pass_time(running, 30 * SECOND)
        soon = len(provider.calls)
        await running.run_until_over()

        assert not running.routes.conditions["scripted"].misconfigured
        assert down <= 20 + 32 + 60
        assert all(after - before >= 5 * SECOND for before, after in pairwise(sorted(set(probes))))
        assert max(Counter(probes).values()) == 1
        assert provider.calls[0].at - mended <= 30 * SECOND
        assert soon >= 200
        assert await delivered(running) == 240
        assert await running.dead_letters() == []
        assert await route_states(running) == ["closed", "probing", "open"]


async def test_what_comes_while_the_provider_is_down_costs_no_attempt(tmp_path: Path) -> None:
    clock = ManualClock()
    provider = ScriptedProvider(clock)
    async with delivering(tmp_path, clock, provider=provider) as running:
        provider.unreachable = REFUSED
        await accept(running, 40)
        await running.settle_down()
        burned = await attempts(running)
        await accept(running, 400, prefix="b")
        await running.settle_down()

        assert running.routes.conditions["scripted"].state is RouteState.CLOSED
        assert not running.routes.may_take()
        assert await attempts(running) == burned <= 40


@pytest.mark.parametrize(
    "outcome",
    [
        Misconfigured(detail="bad password", code="535"),
        ACCOUNT,
        Throttled(scope="sender"),
        Throttled(scope="connection"),
        Rejected(reason="refused_by_policy", scope="route", code="550 5.7.1"),
        REFUSED,
    ],
    ids=lambda outcome: type(outcome).__name__,
)
async def test_another_provider_is_tried_at_once_in_the_same_attempt(tmp_path: Path, outcome: Outcome) -> None:
    clock = ManualClock()
    first, second = ScriptedProvider(clock, lambda *_: outcome), ScriptedProvider(clock, name="second")
    first.unreachable = outcome if outcome is REFUSED else None
    async with delivering(tmp_path, clock, provider=first, others=[second]) as running:
        await accept(running, 1)
        await running.settle_down()
        told = [event for event in await running.events() if event.type is not Event.ROUTE_CHANGED]
        name = type(outcome).__name__.lower()

        assert [event.type for event in told] == [Event.ATTEMPTED, Event.DELIVERED]
        assert told[0].attempt == 1
        assert (told[0].data["provider"], told[0].data["outcome"]) == ("second", "delivered")
        assert told[0].data["tried"] == [{"provider": "scripted", "outcome": name, "code": outcome.code}]
        assert len(first.dials) == len(second.calls) == 1
        assert clock.monotonic() == 0


@pytest.mark.parametrize(
    "outcome",
    [
        Unconfirmed(phase="data"),
        Deferred(cause="connection_lost"),
        Deferred(cause="error", code="503"),
        Throttled(scope="recipient"),
        Throttled(scope="domain"),
        Rejected(reason="unknown", scope="address"),
        Rejected(reason="too large", scope="message"),
    ],
    ids=lambda outcome: f"{type(outcome).__name__}-{getattr(outcome, 'scope', getattr(outcome, 'cause', ''))}",
)
async def test_no_other_provider_is_tried_where_bytes_have_left_or_it_would_say_the_same(
    tmp_path: Path, outcome: Outcome
) -> None:
    clock = ManualClock()
    first, second = ScriptedProvider(clock, lambda *_: outcome), ScriptedProvider(clock, name="second")
    async with delivering(tmp_path, clock, provider=first, others=[second]) as running:
        await accept(running, 1)
        await running.settle_down()
        [attempted] = [event for event in await running.events() if event.type is Event.ATTEMPTED]

        assert attempted.data["provider"] == "scripted"
        assert "tried" not in attempted.data
        assert second.calls == []


async def test_an_unknown_outcome_of_the_second_provider_ends_the_attempt(tmp_path: Path) -> None:
    clock = ManualClock()
    first = ScriptedProvider(clock, lambda *_: Misconfigured(detail="key"))
    second = ScriptedProvider(clock, lambda *_: Unconfirmed(phase="data"), name="second")
    third = ScriptedProvider(clock, name="third")
    async with delivering(tmp_path, clock, provider=first, others=[second, third]) as running:
        await running.accept(make_delivery("ada@example.test", now=clock.now(), semantics="at_most_once"))
        await running.settle_down()
        [letter] = await running.dead_letters()

        assert deadletter.read(letter).reason == "outcome_unknown"
        assert third.calls == []


async def test_a_bug_of_the_second_provider_is_told_of_the_second(tmp_path: Path) -> None:
    clock = ManualClock()
    first = ScriptedProvider(clock, lambda *_: Misconfigured(detail="key"))
    second = ScriptedProvider(clock, lambda *_: ZeroDivisionError(), name="second")
    async with delivering(tmp_path, clock, provider=first, others=[second]) as running:
        await accept(running, 1)
        await running.settle_down()
        [attempted] = [event for event in await running.events() if event.type is Event.ATTEMPTED]

        assert (attempted.data["provider"], attempted.data["outcome"]) == ("second", "unconfirmed")


async def test_two_providers_share_by_their_weights_and_a_failing_one_gets_less(tmp_path: Path) -> None:
    clock = ManualClock()

    def flaky(delivery: Delivery, number: int) -> Outcome:
        return Deferred(cause="error", code="500") if number == 1 and ill else delivers(delivery, number)

    ill = False
    first, second = ScriptedProvider(clock, flaky, weight=3.0), ScriptedProvider(clock, name="second", weight=1.0)
    never = BreakerPolicy(failure_rate=2.0)
    async with delivering(tmp_path, clock, provider=first, others=[second], breaker=never) as running:
        await accept(running, 400)
        await running.settle_down()
        well = len(first.calls)
        ill = True
        await accept(running, 400, prefix="b")
        await running.settle_down()
        sick = len(first.calls) - well
        ill = False
        await running.run_until_over()
        clock.advance(60 * SECOND)
        healing = len(first.calls)
        await accept(running, 400, prefix="c")
        await running.settle_down()
        healed = len(first.calls) - healing

        assert 260 <= well <= 340
        assert sick < 200
        assert 260 <= healed <= 340


async def test_nothing_of_an_account_is_sent_before_its_retry_after(tmp_path: Path) -> None:
    """Scenario 11: also what never got a 429 itself."""
    clock = ManualClock()
    provider = ScriptedProvider(clock, lambda d, n: ACCOUNT if d.address.startswith("a") and n == 1 else delivers(d, n))
    async with delivering(tmp_path, clock, provider=provider) as running:
        await accept(running, 1)
        await running.settle_down()
        await accept(running, 50, prefix="b")
        await running.run_until_over()
        later = [call.at - provider.calls[0].at for call in provider.calls[1:]]

        assert len(later) == 51
        assert timedelta(seconds=300) <= min(later) <= max(later) < timedelta(seconds=302)
        assert await attempts(running) == 52
        assert await route_states(running) == ["closed", "open"]


async def test_a_throttled_account_is_passed_over_for_another(tmp_path: Path) -> None:
    clock = ManualClock()
    first, second = ScriptedProvider(clock, lambda *_: ACCOUNT), ScriptedProvider(clock, name="second")
    async with delivering(tmp_path, clock, provider=first, others=[second]) as running:
        await accept(running, 1)
        await running.settle_down()
        await accept(running, 50, prefix="b")
        await running.settle_down()

        assert (len(first.calls), len(second.calls)) == (1, 51)


async def test_what_one_provider_refuses_waits_for_another_that_takes_nothing_now(tmp_path: Path) -> None:
    """Refused for the provider's sake is final only where there is no other."""
    clock = ManualClock()
    first = ScriptedProvider(clock, lambda *_: Rejected(reason="not_here", scope="route"))
    second = ScriptedProvider(clock, lambda d, n: ACCOUNT if clock.monotonic() < 300 else delivers(d, n), name="second")
    async with delivering(tmp_path, clock, provider=first, others=[second]) as running:
        await accept(running, 1)
        await running.settle_down()
        await accept(running, 1, prefix="b")
        await running.run_until_over()

        assert await running.dead_letters() == []
        assert await delivered(running) == 2


async def test_a_domains_retry_after_holds_that_domain_only(tmp_path: Path) -> None:
    clock = ManualClock()
    slow = Throttled(scope="domain", retry_after=timedelta(seconds=300))
    provider = ScriptedProvider(
        clock, lambda d, n: slow if d.address.endswith("slow.test") and clock.monotonic() < 300 else delivers(d, n)
    )
    async with delivering(tmp_path, clock, provider=provider) as running:
        await running.accept(make_delivery("a@slow.test", now=clock.now()))
        await running.settle_down()
        await running.accept(*(make_delivery(f"b{n}@slow.test", now=clock.now()) for n in range(5)))
        await accept(running, 5)
        await running.settle_down()
        assert Counter(call.address.partition("@")[2] for call in provider.calls) == {"slow.test": 1, "example.test": 5}

        await running.run_until_over()
        assert await attempts(running) == 1 + 5 + 6


async def test_wrong_settings_close_the_route_at_once_and_heal_with_a_probe(tmp_path: Path) -> None:
    clock = ManualClock()
    wrong = True
    provider = ScriptedProvider(
        clock, lambda d, n: Misconfigured(detail="authentication_refused", code="535") if wrong else delivers(d, n)
    )
    async with delivering(tmp_path, clock, provider=provider, in_flight=1) as running:
        await accept(running, 100)
        await pass_time(running, 300 * SECOND)
        calls = [call.at for call in provider.calls]
        condition = running.routes.conditions["scripted"]
        wrong = False
        await running.run_until_over()

        assert condition.misconfigured
        assert condition.why == "authentication_refused 535"
        assert len(calls) <= 11
        assert all(after - before >= 30 * SECOND for before, after in pairwise(calls))
        assert await attempts(running) == await delivered(running) == 100
        assert await route_states(running) == ["closed", "probing", "open"]
