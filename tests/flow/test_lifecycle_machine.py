"""Submit, replay, discard, expire and crash in any order, against a model of what must come of it."""

import asyncio
import tempfile
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

from dlq.decisions import AlreadyDecided, Decided
from dlq.items import Item
from tests.chaos.crash_world import LONG, SOON, CutError, CutLedger, World
from tests.support.waiting import until
from tocsin.delivery import TENANT, Semantics

kinds = st.sampled_from(["fine", "fine", "refused", "busy", "down", "lost"])
semantics = st.sampled_from(["at_least_once", "at_least_once", "at_most_once"])
spans = st.sampled_from([LONG, LONG, SOON])
waits = st.sampled_from([timedelta(seconds=6), timedelta(seconds=40), timedelta(minutes=15), timedelta(hours=5)])
outages = st.sampled_from([timedelta(), timedelta(), timedelta(seconds=30)])
choices = st.integers(min_value=0, max_value=99)


class Lifecycle(RuleBasedStateMachine):
    """Rules are what people, time and bad luck do; nothing moves by itself between two of them.

    No rule has a precondition: where a crash falls depends on the machine's timing, so what is open afterwards may
    differ when hypothesis repeats its steps, and which rules it may choose from must not. A rule with nothing to act
    on does nothing.
    """

    def __init__(self) -> None:
        super().__init__()
        self._directory = tempfile.TemporaryDirectory(prefix="tocsin-")
        self._runner = asyncio.Runner()
        self.world = self._run(self._made())

    async def _made(self) -> World:
        world = World(Path(self._directory.name))
        await world.start()
        return world

    def _run(self, doing: Any) -> Any:
        return self._runner.run(doing)

    def teardown(self) -> None:
        """Judge, and clear up."""
        try:
            self._run(self.world.judge())
        finally:
            self._run(self.world.stop())
            self._runner.close()
            self._directory.cleanup()

    @rule(kind=kinds, semantics=semantics, span=spans)
    def submit(self, kind: str, semantics: Semantics, span: timedelta) -> None:
        async def doing() -> None:
            await self.world.submit(kind, semantics, span)
            await self.world.rest()

        self._run(doing())

    @rule(wait=waits)
    def time_passes(self, wait: timedelta) -> None:
        async def doing() -> None:
            await self.world.pass_time(wait)
            await self.world.rest()

        self._run(doing())

    @rule(outage=outages)
    def crash(self, outage: timedelta) -> None:
        async def doing() -> None:
            await self.world.crash(outage=outage)
            await self.world.rest()

        self._run(doing())

    @rule(
        kind=kinds,
        semantics=semantics,
        span=spans,
        turns=st.integers(min_value=0, max_value=30),
        outages=st.lists(outages, min_size=1, max_size=2),
    )
    def submit_and_crash_at_any_moment(
        self, kind: str, semantics: Semantics, span: timedelta, turns: int, outages: list[timedelta]
    ) -> None:
        async def doing() -> None:
            await self.world.submit(kind, semantics, span)
            for outage in outages:
                for _ in range(turns):
                    await asyncio.sleep(0)
                await self.world.crash(outage=outage)
            await self.world.rest()

        self._run(doing())

    @rule(kind=kinds, semantics=semantics, crashes=st.integers(min_value=1, max_value=4))
    def submit_and_crash_in_the_call(self, kind: str, semantics: Semantics, crashes: int) -> None:
        async def doing() -> None:
            world = self.world
            world.provider.hold = asyncio.Event()
            await world.submit(kind, semantics, LONG)
            for _ in range(crashes):
                await until(lambda: world.provider.held or world.running.quiet, what="the call, or an end without one")
                # Time for what is done to be committed, and another record for the worker to see that it is time.
                held = world.provider.held
                world.clock.advance(timedelta(seconds=2))
                await world.submit("fine", "at_least_once", LONG)
                await until(partial(_called_again, world, held), what="another call")
                await world.crash()
            world.provider.release()
            await world.rest()

        self._run(doing())

    @rule()
    def crash_in_a_retry(self) -> None:
        async def doing() -> None:
            world = self.world
            due = world.due()
            if due is None:
                return
            world.provider.hold = asyncio.Event()
            world.clock.advance(due - world.clock.now())
            await until(lambda: world.provider.held or world.running.quiet, what="a call, or none that is due")
            await world.crash()
            world.provider.release()
            await world.rest()

        self._run(doing())

    @rule()
    def mend(self) -> None:
        self.world.provider.mended = True

    @rule(choice=choices, twice=st.booleans())
    def replay(self, choice: int, twice: bool) -> None:
        async def doing() -> None:
            item = self._chosen(choice)
            if item is None:
                return
            asked = [self.world.decisions().replay(item.id, tenant=TENANT, actor="key") for _ in range(1 + twice)]
            answers = await asyncio.gather(*asked)
            assert isinstance(answers[0], Decided)
            self.world.replayed(item)
            await self.world.rest()
            again = await self.world.decisions().discard(item.id, tenant=TENANT, actor="key")
            assert isinstance(again, AlreadyDecided)

        self._run(doing())

    @rule(choice=choices, durable=st.booleans(), outage=outages)
    def crash_in_a_replay(self, choice: int, durable: bool, outage: timedelta) -> None:
        async def doing() -> None:
            world, item = self.world, self._chosen(choice)
            if item is None:
                return
            cut = CutLedger(world.running.ledger, durable=durable)
            with pytest.raises(CutError):
                await world.decisions(cut=cut).replay(item.id, tenant=TENANT, actor="key")
            world.replayed(item)
            await world.crash(outage=outage)
            await world.rest()

        self._run(doing())

    @rule(choice=choices)
    def discard(self, choice: int) -> None:
        async def doing() -> None:
            item = self._chosen(choice)
            if item is None:
                return
            decided = await self.world.decisions().discard(item.id, tenant=TENANT, actor="key")
            again = await self.world.decisions().replay(item.id, tenant=TENANT, actor="key")
            assert isinstance(decided, Decided)
            assert isinstance(again, AlreadyDecided)
            self.world.discarded.add(item.id)
            await self.world.rest()

        self._run(doing())

    @rule(choice=choices)
    def decide_both_ways_at_once(self, choice: int) -> None:
        async def doing() -> None:
            item, decisions = self._chosen(choice), self.world.decisions()
            if item is None:
                return
            replayed, discarded = await asyncio.gather(
                decisions.replay(item.id, tenant=TENANT, actor="one"),
                decisions.discard(item.id, tenant=TENANT, actor="two"),
            )
            assert isinstance(replayed, Decided) != isinstance(discarded, Decided)
            if isinstance(replayed, Decided):
                self.world.replayed(item)
            else:
                self.world.discarded.add(item.id)
            await self.world.rest()

        self._run(doing())

    def _chosen(self, choice: int) -> Item | None:
        found: list[Item] = self.world.open
        return found[choice % len(found)] if found else None


@pytest.mark.timeout(600)
def test_lives_end_once_whatever_happens(long: bool) -> None:
    """In any order of submits, decisions, time and crashes: one end a life, no send too many, exact dead letters."""
    run_state_machine_as_test(
        Lifecycle,
        settings=settings(
            max_examples=200 if long else 20,
            stateful_step_count=15,
            deadline=None,
            phases=tuple(Phase) if long else (Phase.explicit, Phase.reuse, Phase.generate),
            suppress_health_check=list(HealthCheck),
        ),
    )


def _called_again(world: World, held: int) -> bool:
    return world.provider.held > held
