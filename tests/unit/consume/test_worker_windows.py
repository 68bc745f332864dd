"""The worker on a real log: how much it has in hand, and what waits for its time."""

from datetime import timedelta

from tests.support.waiting import until
from tests.unit.consume.worker_floor import OUT, Floor, Held, numbers
from tocsin.consume.permits import Permits
from tocsin.consume.worker import Budget


async def test_a_full_window_stops_the_intake_of_its_partition_only(floor: Floor) -> None:
    held = Held()
    for n in range(100):
        floor.handler.scripts[b"%d" % n] = held
    await floor.write(*range(100), partition=0)
    async with floor.worker(window=4) as worker:
        await until(lambda: held.inside >= 4, what="a full window")
        await floor.write(*range(100, 150), partition=1)
        await floor.commits_to(50, partition=1)

        assert held.entered == worker.unfinished == 4
        held.go.set()
        await floor.commits_to(100)
    assert await floor.values(OUT) == numbers(*range(150))


async def test_without_budget_a_partition_has_only_its_least_in_hand_until_there_is_some(floor: Floor) -> None:
    floor.budget = Budget(1)
    held = floor.handler.scripts[b"*"] = Held()
    await floor.write(0)
    async with floor.worker() as worker:
        await until(lambda: held.inside, what="the first")
        await floor.write(*range(1, 100), partition=1)
        await until(lambda: held.inside > 32, what="the least of the other partition")
        for n in range(100, 103):
            await floor.write(n, partition=1)
        assert worker.unfinished == held.entered == 1 + 32
        held.go.set()
        await floor.commits_to(102, partition=1)

    assert floor.budget.used == 0


async def test_what_waits_for_hours_keeps_nobody_else_from_being_read(floor: Floor) -> None:
    floor.budget = Budget(1)
    late = floor.clock.now() + timedelta(hours=4)
    floor.handler.due_at = dict.fromkeys(numbers(*range(100)), late)
    await floor.write(*range(100))
    async with floor.worker() as worker:
        await until(lambda: worker.unfinished >= 32, what="those that wait")
        await floor.write(*range(100, 200), partition=1)
        await floor.commits_to(100, partition=1)

    assert await floor.values(OUT) == numbers(*range(100, 200))


async def test_a_closed_channel_takes_nothing_until_it_is_open(floor: Floor) -> None:
    floor.closed = True
    await floor.write(0)
    async with floor.worker():
        for n in range(1, 5):
            await floor.write(n)
        assert floor.handler.handled == []
        floor.closed = False

        await floor.commits_to(5)


async def test_no_more_run_than_there_are_permits(floor: Floor) -> None:
    floor.permits = Permits(8)
    held = floor.handler.scripts[b"*"] = Held()
    await floor.write(*range(30))
    async with floor.worker() as worker:
        await until(lambda: (held.inside, worker.pending) == (7, 30 - 7), what="all that may run")
        held.go.set()
        await floor.commits_to(30)

    assert held.most == 7  # one is kept for the high lane
    assert floor.permits.in_flight == 0


async def test_a_record_waits_until_it_is_due_and_lets_others_pass(floor: Floor) -> None:
    floor.handler.due_at[b"0"] = floor.clock.now() + timedelta(seconds=60)
    await floor.write(0, 1)
    async with floor.worker():
        await until(lambda: (b"1", True) in floor.handler.settled_, what="the one that is due")
        floor.clock.advance(timedelta(seconds=59.999))
        await floor.write(2)
        await until(lambda: (b"2", True) in floor.handler.settled_, what="another one")
        assert b"0" not in floor.handler.handled
        assert floor.committed() == 0

        floor.clock.advance(timedelta(seconds=0.001))
        await floor.commits_to(3)
    assert floor.released == [timedelta()]


async def test_what_waits_when_the_worker_stops_waits_again_with_the_next(floor: Floor) -> None:
    due = floor.clock.now() + timedelta(seconds=60)
    floor.handler.due_at = {b"0": due, b"1": due}
    await floor.write(0, 1)
    async with floor.worker() as worker:
        await until(lambda: worker.unfinished == 2, what="both at the gate")
    assert floor.budget.used == 0
    assert floor.clock.next_due() is None or floor.clock.next_due() != due
    async with floor.worker() as worker:
        await until(lambda: worker.unfinished == 2, what="both at the gate")
        assert floor.handler.handled == []
        floor.clock.advance(timedelta(seconds=60))
        await floor.commits_to(2)

    assert sorted(floor.handler.handled) == [b"0", b"1"]
