"""Scenario 10: a provider that is always busy."""

from itertools import pairwise
from pathlib import Path

from tests.support.backends import Backend
from tests.support.clock import ManualClock
from tests.support.kinds import Kind
from tests.support.stages import staged
from tocsin import deadletter
from tocsin.lifecycle import Event
from tocsin.retry import RetryPolicy

SCHEDULE = [5, 30, 120, 600, 3600, 3600, 3600]
LATE_SECONDS = 1.0


async def test_it_is_tried_eight_times_on_schedule_and_never_early_then_dead(
    tmp_path: Path, backend: Backend, clock: ManualClock, kind: Kind
) -> None:
    async with staged(kind, tmp_path, clock, backend=backend) as stage:
        await stage.peer.fault(kind.busy)
        given = await stage.accept(await stage.address(0), await stage.address(1))
        await stage.running.run_until_over()
        letters = [deadletter.read(letter) for letter in await stage.running.dead_letters()]

        for delivery in given:
            attempts = await stage.attempts(delivery)
            assert [each.attempt for each in attempts] == list(range(1, 9))
            assert {each.data["outcome"] for each in attempts} <= {"deferred", "throttled"}
            waits = [(after.time - before.time).total_seconds() for before, after in pairwise(attempts)]
            for wait, tier in zip(waits, SCHEDULE, strict=True):
                least = max(tier, kind.patience)
                assert least <= wait <= least * (1 + RetryPolicy().jitter) + LATE_SECONDS
        assert [(each.reason, each.hop.attempt) for each in letters if each.hop] == [("exhausted", 8)] * 2
        assert await stage.peer.suffered() == 16
        assert await stage.peer.taken() == 0
        assert await stage.count(Event.DEAD) == 2
