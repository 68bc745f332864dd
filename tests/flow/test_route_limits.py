"""How many deliveries a provider gets at once, and how many a second (scenario 17)."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path

from channels.provider import Claim
from tests.support.clock import ManualClock
from tests.support.delivering import Delivering, delivering, make_delivery
from tests.support.scripted import ScriptedProvider
from tests.support.waiting import until
from tocsin import topics
from tocsin.delivery import Delivery, Lane
from tocsin.lifecycle import Event
from tocsin.outcome import Outcome
from tocsin.tiers import TIERS

SECOND = timedelta(seconds=1)


async def accept(running: Delivering, count: int, *, prefix: str = "a") -> None:
    now = running.clock.now()
    await running.accept(*(make_delivery(f"{prefix}{n}@example.test", now=now) for n in range(count)))


async def told(running: Delivering, event: Event) -> int:
    """Return how many events of a type there are."""
    return [each.type for each in await running.events()].count(event)


async def test_a_rate_is_kept_and_used_up_without_an_attempt_burned(tmp_path: Path) -> None:
    clock = ManualClock()
    provider = ScriptedProvider(clock, messages_per_second=2.0)
    async with delivering(tmp_path, clock, provider=provider) as running:
        await accept(running, 40)
        start = clock.now()
        for step in range(1, 81):
            clock.advance(timedelta(seconds=0.25))
            due = min(40, step // 2)
            await until(partial(_called, provider, due), what="what there are tokens for")
        await running.run_until_over()
        spent = sorted((call.at - start).total_seconds() for call in provider.calls)

        assert all(number + 1 <= 2 + 2 * at + 0.001 for number, at in enumerate(spent))
        assert await told(running, Event.ATTEMPTED) == await told(running, Event.DELIVERED) == 40


async def test_what_would_wait_long_for_a_token_stays_in_the_log_and_is_no_attempt(tmp_path: Path) -> None:
    clock = ManualClock()
    provider = ScriptedProvider(clock, messages_per_second=0.1)
    async with delivering(tmp_path, clock, provider=provider) as running:
        await accept(running, 2)
        await running.settle_down()
        parked = [each for tier in TIERS for each in await running.read(topics.retry("email", Lane.NORMAL, tier))]
        first = clock.now()

        assert len(provider.calls) == await told(running, Event.ATTEMPTED) == 1
        assert parked == []
        clock.advance(10 * SECOND)
        await running.run_until_over()
        assert await told(running, Event.DELIVERED) == 2
        assert provider.calls[1].at - first >= 10 * SECOND


async def test_a_slow_provider_gets_no_more_than_it_bears(tmp_path: Path) -> None:
    """Scenario 17: what it cannot take soon stays in the log."""
    clock, count = ManualClock(), 200
    held: list[int] = []
    provider = Slow(clock)
    async with delivering(tmp_path, clock, provider=provider, in_flight=256) as running:
        await accept(running, 16)
        await provider.serve(16)
        await accept(running, count - 16, prefix="b")
        await provider.serve(count, watch=lambda: held.append(sum(len(worker._running) for worker in running.workers)))
        await running.run_until_over()

        assert provider.most == provider.capabilities.max_in_flight
        assert max(held) <= 2 * provider.most
        assert await told(running, Event.ATTEMPTED) == await told(running, Event.DELIVERED) == count


def _called(provider: ScriptedProvider, times: int) -> bool:
    return len(provider.calls) >= times


class Slow(ScriptedProvider):
    """Takes five seconds for each call."""

    def __init__(self, clock: ManualClock) -> None:
        super().__init__(clock, max_in_flight=8)
        self.under_way = self.most = self.busy = self.ended = 0

    async def send(self, message: Delivery, *, key: str, deadline: float, claim: Claim) -> Outcome:
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        try:
            outcome = await super().send(message, key=key, deadline=deadline, claim=claim)
            self.busy += 1
            await self._clock.sleep(5 * SECOND)
        finally:
            self.under_way -= 1
            self.ended += 1
        return outcome

    async def serve(self, total: int, *, watch: Callable[[], None] = lambda: None) -> None:
        """Let time pass until so many calls have ended."""
        while self.ended < total:
            ending = self.ended + min(self.capabilities.max_in_flight, total - self.ended)
            await until(partial(self._reached, "busy", ending), what="the provider to be busy")
            watch()
            self._clock.advance(5 * SECOND)
            await until(partial(self._reached, "ended", ending), what="calls to end")

    def _reached(self, counter: str, number: int) -> bool:
        count: int = getattr(self, counter)
        return count >= number
