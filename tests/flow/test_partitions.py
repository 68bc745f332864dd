"""Scenarios 2, 5 and 17: partitions whose records hang, that move to another owner, that nobody can keep up with."""

import asyncio
from collections.abc import Collection
from datetime import timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from channels.provider import Claim
from tests.support.backends import Backend, Cluster
from tests.support.clock import ManualClock
from tests.support.delivering import CHANNEL, Delivering, delivering, make_delivery, record_of
from tests.support.members import join
from tests.support.scripted import ScriptedProvider
from tests.support.waiting import until
from tocsin import topics
from tocsin.delivery import Delivery, Lane
from tocsin.lifecycle import Event
from tocsin.outcome import Outcome
from tocsin.record import Partition, Received

COUNT = 50
# Of the slow provider: calls at once, and seconds each; what comes in is ten times what it can take.
IN_FLIGHT, SLOW = 8, 0.5
A_TURN, TURN = 0.1, 16
# Eight seconds: longer than Kafka waits for a member that is not heard of.
ON_KAFKA = 80
WINDOW = 50


class Hanging(ScriptedProvider):
    """Keeps the calls for some addresses until they are let go."""

    def __init__(self, clock: ManualClock, *addresses: str) -> None:
        super().__init__(clock)
        self.go = asyncio.Event()
        self._addresses = addresses

    async def send(self, message: Delivery, *, key: str, deadline: float, claim: Claim) -> Outcome:
        """See `ScriptedProvider`."""
        outcome = await super().send(message, key=key, deadline=deadline, claim=claim)
        if message.address in self._addresses:
            await self.go.wait()
        return outcome


class Slow(ScriptedProvider):
    """Takes its time, by the clock of the test, and takes note of how many calls it has at once."""

    seconds = SLOW
    inside = most = 0

    async def send(self, message: Delivery, *, key: str, deadline: float, claim: Claim) -> Outcome:
        """See `ScriptedProvider`."""
        self.inside += 1
        self.most = max(self.most, self.inside)
        outcome = await super().send(message, key=key, deadline=deadline, claim=claim)
        await self._clock.sleep(timedelta(seconds=self.seconds))
        self.inside -= 1
        return outcome


async def lag(running: Delivering, *, among: Collection[Partition] | None = None) -> int:
    """Return how much of the fresh records, of these partitions or of all, is not committed."""
    found = await running.log.group_lag(topics.worker_group(CHANNEL, Lane.NORMAL, retrying=False))
    return sum(count for partition, count in found.items() if among is None or partition in among)


async def commits_all_but(running: Delivering, left: int) -> None:
    """Return once so many records are not committed. Fails if there were ever fewer."""
    async with asyncio.timeout(60):
        while (found := await lag(running)) != left:
            assert found > left
            await asyncio.sleep(0.01)


async def test_the_commit_waits_at_the_delivery_that_hangs_while_the_others_are_delivered(
    tmp_path: Path, backend: Backend, clock: ManualClock
) -> None:
    """Scenario 2."""
    provider = Hanging(clock, "7@example.test")
    async with delivering(tmp_path, clock, backend=backend, provider=provider) as running:
        given = (make_delivery(f"{n}@example.test", now=clock.now()) for n in range(100))
        await running.write(*(replace(record_of(each), key=b"the same") for each in given))
        fresh, _ = running.workers
        await until(lambda: len(provider.calls) == 100 and fresh.unfinished == 1, what="99 of 100")
        clock.advance(timedelta(seconds=1))
        await commits_all_but(running, 100 - 7)
        provider.go.set()
        await running.settle_down()
        clock.advance(timedelta(seconds=1))

        await commits_all_but(running, 0)


async def test_what_is_being_sent_while_partitions_move_is_done_before_their_next_owner_begins(
    tmp_path: Path, backend: Backend, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Scenario 5."""
    provider = ScriptedProvider(clock)
    provider.hold = asyncio.Event()
    revoking = asyncio.Event()
    taken: list[Received] = []
    async with delivering(tmp_path, clock, backend=backend, provider=provider) as running:
        await running.accept(*(make_delivery(f"{n}@example.test", now=clock.now()) for n in range(COUNT)))
        await until(lambda: len(provider.calls) == COUNT, what="all calls to begin")
        fresh = running.workers[0]
        before = len(fresh._trackers)
        # The first thing that a worker does about partitions that leave is to forget what waits in them.
        monkeypatch.setattr(fresh._gate, "forget", lambda _: revoking.set())
        monkeypatch.setattr(fresh, "_take", taken.append)
        newcomer = join(running).worker
        monkeypatch.setattr(newcomer, "_take", taken.append)
        await asyncio.wait_for(revoking.wait(), timeout=20)
        assert newcomer._trackers == {}
        provider.hold.set()
        await until(lambda: newcomer._trackers, what="the partitions to move")
        assert await lag(running, among=newcomer._trackers) == 0
        await until(lambda: len(newcomer._trackers) + len(fresh._trackers) == before, what="an owner for each")
        await running.settle_down()

        assert taken == []
        assert len(provider.calls) == COUNT
        assert [event.type for event in await running.events()].count(Event.DELIVERED) == COUNT


async def test_a_provider_that_is_ten_times_too_slow_costs_neither_memory_nor_the_partitions(
    tmp_path: Path, backend: Backend, clock: ManualClock
) -> None:
    """Scenario 17."""
    provider = Slow(clock)
    turns = ON_KAFKA if isinstance(backend, Cluster) else 20
    lags, unfinished = [], 0
    async with delivering(
        tmp_path, clock, backend=backend, provider=provider, window=WINDOW, in_flight=IN_FLIGHT
    ) as running:
        fresh = running.workers[0]
        await until(lambda: fresh._trackers, what="the partitions")
        trackers = dict(fresh._trackers)
        for turn in range(1, turns + 1):
            given = (make_delivery(f"{turn}.{n}@example.test", now=clock.now()) for n in range(TURN))
            await asyncio.gather(running.accept(*given), asyncio.sleep(A_TURN))
            clock.advance(timedelta(seconds=A_TURN))
            unfinished = max(unfinished, fresh.unfinished)
            if turn % (turns // 4) == 0:
                lags.append(await lag(running))
        kept = all(fresh._trackers.get(partition) is tracker for partition, tracker in trackers.items())
        in_time, provider.seconds = len(provider.calls), 0
        clock.advance(timedelta(seconds=SLOW))
        await running.settle_down()

    steps = [after - before for before, after in zip([0, *lags], lags, strict=False)]
    assert kept
    # The lane `high` has its reserve.
    assert IN_FLIGHT / 2 < provider.most < IN_FLIGHT
    # A partition that has room for one may be given as many as a fetch brings.
    assert unfinished <= 2 * WINDOW * len(trackers)
    assert in_time < turns * TURN / 5
    assert min(steps) > 0.7 * max(steps)
    assert sorted(call.address for call in provider.calls) == sorted({call.address for call in provider.calls})
    assert len(provider.calls) == turns * TURN
