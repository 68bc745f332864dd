"""The one writer: group commit, savepoints, and operations that misbehave."""

import asyncio
from collections.abc import Sequence

import pytest

from tests.support.logs import drain, reading, write
from tests.support.waiting import until
from tests.unit.eventlog.places import SPECS, TOPIC, Place, everything, place, record, writer_held
from tocsin.errors import LogUnavailable, TopicMismatch
from tocsin.eventlog.embedded.transaction import Transaction

__all__ = ["place"]


async def test_writes_that_gather_are_one_commit(place: Place) -> None:
    async with place.log() as log:
        await log.ensure_topics(SPECS)
        async with writer_held(log):
            before = len(place.commits)
            writes = [asyncio.ensure_future(write(log, record(b"%d" % n))) for n in range(300)]
            await until(lambda: log._writer.queued == 301, what="all to be queued")
        await asyncio.gather(*writes)

        assert place.commits[before:] == [0, 300]
        assert await everything(log) == [(n, b"%d" % n) for n in range(300)]


async def test_an_operation_that_fails_does_not_fail_its_neighbours_nor_cost_an_offset(place: Place) -> None:
    def fail(transaction: Transaction) -> None:
        transaction.append([record(b"gone"), record(b"gone too")])
        raise ZeroDivisionError

    async with place.log() as log:
        await log.ensure_topics(SPECS)
        async with writer_held(log):
            before = len(place.commits)
            writes = [log.run(lambda transaction: transaction.append([record(b"1")])), log.run(fail)]
            writes.append(log.run(lambda transaction: transaction.append([record(b"2")])))
            writes.append(log.run(lambda transaction: transaction.append([record(), record(topic="nowhere")])))
            writes.append(log.run(lambda transaction: transaction.append([record(b"3")])))
        found = await asyncio.gather(*writes, return_exceptions=True)

        assert [type(each) for each in found] == [
            *(type(None), ZeroDivisionError, type(None), TopicMismatch, type(None))
        ]
        assert place.commits[before:] == [0, 3]
        assert await everything(log) == [(0, b"1"), (1, b"2"), (2, b"3")]
        assert log.health().writable


async def test_an_operation_that_raises_stop_iteration_does_not_leave_its_neighbours_waiting(place: Place) -> None:
    """A future refuses StopIteration: who forgets that leaves all that follow in the batch without an answer."""
    nothing: list[int] = []
    async with place.log() as log:
        await log.ensure_topics(SPECS)
        async with writer_held(log):
            broken: asyncio.Future[int] = log.run(lambda _: next(iter(nothing)))
            neighbour = log.run(lambda transaction: transaction.append([record(b"1")]))
        await asyncio.wait([asyncio.ensure_future(each) for each in (neighbour, broken)], timeout=20)

        assert neighbour.done()
        assert broken.done()
        assert broken.exception() is not None


async def test_cancelling_a_write_does_not_take_it_back(place: Place) -> None:
    async with place.log() as log:
        await log.ensure_topics(SPECS)
        async with writer_held(log):
            writing = asyncio.ensure_future(write(log, record(b"1")))
            await until(lambda: log._writer.queued == 2, what="the write to be queued")
            writing.cancel()
        await asyncio.gather(writing, return_exceptions=True)
        await write(log, record(b"2"))

        assert await everything(log) == [(0, b"1"), (1, b"2")]


async def test_an_early_answer_comes_before_the_commit_and_holds_after_it(place: Place) -> None:
    async with place.log() as log:
        await log.ensure_topics(SPECS)
        order: list[str] = []
        async with writer_held(log):
            late = log.run(lambda transaction: transaction.append([record(b"1")]))
            early = log.run(lambda transaction: transaction.append([record(b"2")]), early=True)
            late.add_done_callback(lambda _: order.append("late"))
            early.add_done_callback(lambda _: order.append("early"))
        await asyncio.gather(late, early)
        await asyncio.sleep(0)

        assert order == ["early", "late"]
        assert await everything(log) == [(0, b"1"), (1, b"2")]


async def test_closing_writes_what_is_queued_and_refuses_the_rest(place: Place) -> None:
    async with place.log() as log:
        await log.ensure_topics(SPECS)
        writes = [log.run(lambda transaction, n=n: transaction.append([record(b"%d" % n)])) for n in range(1000)]  # type: ignore[misc]
    await asyncio.gather(*writes)
    with pytest.raises(LogUnavailable, match="closed"):
        await log.run(lambda _: None)
    async with place.log() as log:
        assert len(await everything(log)) == 1000


async def test_the_writer_answers_in_the_order_of_the_queue_across_batches(place: Place) -> None:
    async with place.log() as log:
        await log.ensure_topics(SPECS)
        async with writer_held(log):
            writes = [log.run(lambda transaction, n=n: transaction.append([record(b"%d" % n)])) for n in range(1500)]  # type: ignore[misc]
        await asyncio.gather(*writes)
        async with reading(log, TOPIC) as subscription:
            found = await drain(subscription, 1500)

        assert [each.value for each in found] == [b"%d" % n for n in range(1500)]
        assert max(place.commits) <= 512


async def test_an_operation_that_raises_what_is_no_exception_leaves_nobody_waiting(place: Place) -> None:
    def cancel(_transaction: Transaction) -> None:
        raise asyncio.CancelledError

    told: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: told.append(context))
    async with place.log() as log:
        await log.ensure_topics(SPECS)
        writes = [log.run(lambda transaction: transaction.append([record(b"1")])), log.run(cancel)]
        found = await asyncio.gather(*writes, return_exceptions=True)
        await write(log, record(b"2"))

        assert [type(each) for each in found] == [LogUnavailable, LogUnavailable]
        assert await everything(log) == [(0, b"2")]
    assert told


async def test_a_bulk_that_answers_with_stop_iteration_leaves_nobody_waiting(place: Place) -> None:
    def odd(_transaction: Transaction, items: Sequence[int]) -> list[Exception]:
        return [StopIteration() for _ in items]

    async with place.log() as log:
        await log.ensure_topics(SPECS)
        answers: list[asyncio.Future[int]] = [log.run_bulk(odd, number, early=True) for number in range(2)]
        found = await asyncio.wait_for(asyncio.gather(*answers, return_exceptions=True), 20)
        await write(log, record(b"1"))

        assert [type(each) for each in found] == [RuntimeError, RuntimeError]


async def test_what_weighs_much_is_written_in_several_batches(place: Place) -> None:
    async with place.log() as log:
        await log.ensure_topics(SPECS)
        before = len(place.commits)
        many = [record(b"%d" % n) for n in range(400)]
        await asyncio.gather(*(log.run(lambda t: t.append(many), weight=len(many)) for _ in range(5)))

        assert place.commits[before:] == [800, 800, 400]


async def test_a_log_whose_closing_is_cancelled_is_closed_all_the_same(place: Place) -> None:
    async with place.log() as log:
        await log.ensure_topics(SPECS)
        writing = log.run(lambda transaction: transaction.append([record(b"1")]))
        closing = asyncio.create_task(log._writer.close())
        await asyncio.sleep(0)
        closing.cancel()
        await asyncio.gather(closing, return_exceptions=True)
        await until(lambda: not log._writer._thread.is_alive(), what="the writer to end")
        assert writing.done()
