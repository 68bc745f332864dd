"""Scenario 3: deliveries end, fail or hang while workers join, leave or are cut off, in any order, against a model."""

import asyncio
import dataclasses
import random
from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pytest

from channels.provider import Claim
from tests.support.backends import Backend
from tests.support.clock import ManualClock
from tests.support.delivering import CHANNEL, Delivering, delivering, make_delivery, record_of
from tests.support.members import Member, join
from tests.support.scripted import ScriptedProvider
from tests.support.waiting import until
from tocsin import deadletter, topics
from tocsin.delivery import Delivery, Lane
from tocsin.ledger.port import Settlement
from tocsin.lifecycle import Event, state_after
from tocsin.outcome import Deferred, Delivered, Outcome, Rejected
from tocsin.record import Partition

STEPS = 24
MOST_MEMBERS = 2
DRAIN = timedelta(seconds=0.3)
KINDS = ("fine", "fine", "fine", "refused", "busy", "hanging")


class Provider(ScriptedProvider):
    """Answers as the address asks for; what hangs waits to be let go."""

    def __init__(self, clock: ManualClock) -> None:
        super().__init__(clock, _answer)
        self.go = asyncio.Event()

    async def send(self, message: Delivery, *, key: str, deadline: float, claim: Claim) -> Outcome:
        """See `ScriptedProvider`."""
        outcome = await super().send(message, key=key, deadline=deadline, claim=claim)
        if message.address.startswith("hanging"):
            await self.go.wait()
        return outcome

    def release(self) -> None:
        """Let go of what hangs now."""
        self.go.set()
        self.go = asyncio.Event()


class Model:
    """Which deliveries there are and which records are done, how often workers were cut off, and how often partitions
    moved: what hangs for longer than a drain is cut off then. So is what a slow machine is still settling, which is
    counted one by one."""

    def __init__(self, running: Delivering, monkeypatch: pytest.MonkeyPatch) -> None:
        self._running = running
        self._settle = running.ledger.settle
        self.given: list[Delivery] = []
        self.done: defaultdict[Partition, set[int]] = defaultdict(set)
        self.cuts = 0
        self.moves = 0
        self.unsettled: Counter[str] = Counter()
        monkeypatch.setattr(running.ledger, "settle", self._settled)

    async def write(self, deliveries: Sequence[Delivery]) -> None:
        """Accept deliveries."""
        self.given += deliveries
        await self._running.write(*(record_of(each) for each in deliveries))

    async def check(self) -> None:
        """Fail if a commit is past a record that is not done."""
        group, place = topics.worker_group(CHANNEL, Lane.NORMAL, retrying=False), self._running.log
        lag = await place.group_lag(group)
        records = await self._running.read(topics.delivery(CHANNEL, Lane.NORMAL))
        for partition, left in lag.items():
            offsets = sorted(each.offset for each in records if each.place == partition)
            assert set(offsets[: max(0, len(offsets) - left)]) <= self.done[partition]

    async def judge(self) -> None:
        """Fail unless each delivery has one end, the right one, and was sent no more often than the cuts explain."""
        wanted = {"refused": Event.DEAD}
        kinds = {each.id: each.address.partition("+")[0] for each in self.given}
        assert await self.ends() == {each: [wanted.get(kind, Event.DELIVERED)] for each, kind in kinds.items()}
        calls = Counter(call.address for call in self._running.provider.calls)
        for each in self.given:
            needed = 2 if each.address.startswith("busy") else 1
            excused = self.cuts + (self.moves if each.address.startswith("hanging") else self.unsettled[each.id])
            assert needed <= calls[each.address] <= needed + excused
        letters = {deadletter.life_of(letter.headers) for letter in await self._running.dead_letters()}
        assert letters == {(each, 0) for each, kind in kinds.items() if kind in wanted}

    async def ends(self) -> dict[str | None, list[Event]]:
        """Return how each delivery has ended, as the audit tells it: an event that is told again has the same id."""
        ends = defaultdict(list)
        for event in {event.id: event for event in await self._running.events()}.values():
            if (state := state_after(event.type)) is not None and state.terminal:
                ends[event.delivery_id].append(event.type)
        return ends

    async def _settled(self, settlement: Settlement) -> bool:
        # A worker that is cut off meanwhile does not learn whether it was written. If it was not, and the commit passes
        # it all the same, then the delivery has no end.
        source = settlement.source
        try:
            return await self._settle(settlement)
        except asyncio.CancelledError:
            self.unsettled[settlement.life[0] if settlement.life else ""] += 1
            raise
        finally:
            self.done[Partition(source.topic, source.partition)].add(source.offset)


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_whoever_comes_and_goes_each_delivery_ends_once_and_no_commit_is_too_early(
    tmp_path: Path, backend: Backend, clock: ManualClock, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    chance = random.Random(seed)
    provider = Provider(clock)
    async with delivering(tmp_path, clock, backend=backend, provider=provider) as running:
        model, members = Model(running, monkeypatch), list[Member]()
        for worker in running.workers:
            monkeypatch.setattr(worker, "_config", dataclasses.replace(worker._config, drain=DRAIN))
        for step in range(STEPS):
            await _one_of_many(chance, step, running, model, members)
            await asyncio.sleep(0.01 * chance.random())
            if step % 4 == 3:
                await model.check()
        for member in members:
            model.moves += 1
            await member.leave()

        async with asyncio.timeout(60):
            while len(await model.ends()) < len(model.given):
                # What a worker that was cut off had claimed is free once its lease has ended.
                clock.advance(timedelta(seconds=10))
                provider.release()
        await running.settle_down()
        clock.advance(timedelta(seconds=1))
        await model.check()
        await model.judge()


async def _one_of_many(
    chance: random.Random, step: int, running: Delivering, model: Model, members: list[Member]
) -> None:
    match chance.choice(("write", "write", "join", "join", "leave", "cut", "release", "time")):
        case "write":
            addresses = [f"{chance.choice(KINDS)}+{step}.{number}@example.test" for number in range(12)]
            await model.write([make_delivery(each, now=running.clock.now()) for each in addresses])
        case "join" if len(members) < MOST_MEMBERS:
            model.moves += 1
            members.append(join(running))
            await until(lambda: members[-1].worker._trackers, what="partitions of its own")
        case "leave" if members:
            model.moves += 1
            await members.pop(chance.randrange(len(members))).leave()
        case "cut" if members:
            model.cuts += 1
            model.moves += 1
            await members.pop(chance.randrange(len(members))).cut_off()
        case "release":
            running.provider.release()  # type: ignore[attr-defined]
        case _:
            running.clock.advance(timedelta(seconds=2))


def _answer(delivery: Delivery, number: int) -> Outcome:
    match delivery.address.partition("+")[0]:
        case "refused":
            return Rejected(reason="unknown mailbox", scope="address")
        case "busy" if number == 1:
            return Deferred(cause="busy")
        case _:
            return Delivered()
