"""A data directory in which deliveries wait in the tiers, each brought there by the worker itself, on its own clock.

What is waited for is true: every one was accepted, attempted, deferred and settled, with its claim in the ledger and
its events in the audit's topic. Only the hours in between did not have to pass.
"""

import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from producer.check import Checked
from producer.fanout import fan_out
from tests.support.clock import ManualClock
from tests.support.delivering import CHANNEL, Delivering, delivering
from tests.support.logs import NOW, embedded_config, reading
from tests.support.scripted import ScriptedProvider
from tests.support.waiting import until
from tocsin import delivery as deliveries
from tocsin import hops, ids, topics
from tocsin.delivery import Delivery, Lane
from tocsin.eventlog.embedded.log import open_log
from tocsin.observe.metrics import Metrics
from tocsin.outcome import Deferred, Outcome
from tocsin.record import Record
from tocsin.tiers import TIERS, Tier

EVENTS_EACH = 3  # accepted, attempted, retrying
WARM_UP = 500

_CHUNK = 1000
_EXPIRES = timedelta(days=3)
# The longest first, so that the clock only goes forward.
_TIERS: Sequence[Tier] = TIERS[:2:-1]
_JITTER = timedelta(seconds=2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """Who waits: when each delivery is due, by its address. Beside them, some others that are due much later."""

    due: dict[str, datetime]

    @property
    def opens(self) -> datetime:
        """When the first one is due."""
        return min(self.due.values())


class _Busy(ScriptedProvider):
    """Puts everything off, by as much as it is told at the time."""

    def __init__(self, clock: ManualClock, seed: int) -> None:
        super().__init__(clock, self._defer)
        self.wait = timedelta()
        self._random = random.Random(seed)

    def count(self, address: str) -> int:
        """Each address is called once here, and looking that up would take longer the more there are."""
        del address
        return 1

    def _defer(self, _delivery: Delivery, _number: int) -> Outcome:
        return Deferred(cause="busy", retry_after=self.wait + _JITTER * self._random.random())


async def filled(directory: Path, count: int, *, lead: timedelta, per_second: int) -> Room:
    """Fill a data directory with `count` waiting deliveries, over two tiers, due `per_second` after each other.

    The first is due about `lead` from when this returns.
    """
    clock = ManualClock(datetime.now(UTC) - timedelta(hours=3))
    provider = _Busy(clock, seed=count)
    async with delivering(directory, clock, provider=provider, in_flight=256) as running:
        pace = await _paced(running, provider, clock)
        opens = datetime.now(UTC) + timedelta(seconds=1.3 * count * pace) + lead
        spread = timedelta(seconds=count / per_second)
        assert spread < _TIERS[-1].delay, "the first would be due before the last is put off"
        each = -(-count // len(_TIERS))
        for turn, tier in enumerate(_TIERS):
            first, last = turn * each, min(count, (turn + 1) * each)
            for start in range(first, last, _CHUNK):
                addresses = [_address(number) for number in range(start, min(last, start + _CHUNK))]
                due = opens + spread * ((start - first) / each)
                clock.advance(max(timedelta(), due - tier.delay - clock.now()))
                provider.wait = tier.delay
                await _deferred(running, provider, addresses)
    return Room(due=await due_times(directory))


async def due_times(directory: Path) -> dict[str, datetime]:
    """Return when each delivery that waits is due, as its record in the log says."""
    found: dict[str, datetime] = {}
    waiting = [topics.retry(CHANNEL, Lane.NORMAL, tier) for tier in TIERS]
    clock, metrics = ManualClock(datetime.now(UTC)), Metrics(version="test")
    async with open_log(embedded_config(directory), clock=clock, metrics=metrics) as log:
        for topic in waiting:
            async with reading(log, topic, group=f"look-{time.monotonic_ns()}") as subscription:
                while records := await subscription.fetch(limit=1000, wait=NOW):
                    for record in records:
                        not_before = hops.read(record.headers).not_before
                        address = deliveries.decode(record.value).address
                        assert not_before is not None
                        assert address not in found, "one delivery waits twice"
                        if not address.startswith("warm"):
                            found[address] = not_before
    return found


async def _paced(running: Delivering, provider: _Busy, clock: ManualClock) -> float:
    """Return how long one takes (seconds), by some that are not due before all is over."""
    provider.wait = timedelta(hours=20)
    started = time.perf_counter()
    await _deferred(running, provider, [f"warm{number}@example.test" for number in range(WARM_UP)])
    clock.advance(timedelta(seconds=1))
    return (time.perf_counter() - started) / WARM_UP


async def _deferred(running: Delivering, provider: _Busy, addresses: Sequence[str]) -> None:
    """Accept notifications to addresses, and return once each was put off."""
    before = len(provider.calls)
    await running.write(*(record for address in addresses for record in _accepted(address, running.clock.now())))
    await until(
        lambda: len(provider.calls) == before + len(addresses) and running.quiet,
        what="the first attempts",
        seconds=120,
    )


def _accepted(address: str, now: datetime) -> Sequence[Record]:
    """Return what a submit writes."""
    document = {
        "recipient": {"email": address},
        "channels": [CHANNEL],
        "content": {CHANNEL: {"subject": "Your order", "text": "It is on its way."}},
    }
    return fan_out(
        document,
        Checked(addresses={CHANNEL: [address]}, template=None, expires_at=now + _EXPIRES),
        notification_id=ids.notification_id(now, random.randbytes),
        tenant=deliveries.TENANT,
        semantics="at_least_once",
        now=now,
    ).records


def _address(number: int) -> str:
    return f"ada{number}@example.test"
