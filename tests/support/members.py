"""More workers of one group beside those of a flow: they join, leave in order, or are cut off."""

import asyncio
from dataclasses import dataclass

from tests.support.delivering import Delivering
from tocsin.consume.permits import Permits
from tocsin.consume.worker import Worker


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """Another worker of the flow's fresh deliveries, with permits of its own as in a process of its own."""

    running: Delivering
    worker: Worker
    task: asyncio.Task[None]

    async def leave(self) -> None:
        """Drain it, and have it leave its group."""
        self.worker.stop()
        await self.task
        self._forget()

    async def cut_off(self) -> None:
        """End it where it is, without drain and commit."""
        self.worker.stop()
        self.worker._subscription = None
        cut = [*self.worker._running, self.task]
        for each in cut:
            each.cancel()
            await asyncio.gather(each, return_exceptions=True)
        self._forget()

    def _forget(self) -> None:
        self.running.workers.remove(self.worker)
        self.running.tasks.remove(self.task)


def join(running: Delivering) -> Member:
    """Start one. It ends with the flow, if it is still there."""
    first = running.workers[0]
    worker = Worker(
        log=running.log,
        ledger=running.ledger,
        topics=first._topics,
        group=first.name,
        stream=first.stream,
        handler=first._handler,
        permits=Permits(64),
        budget=first._budget,
        clock=running.clock,
        config=first._config,
        on_released=first._on_released,
        may_take=first._may_take,
    )
    task = asyncio.create_task(worker.run())
    running.workers.append(worker)
    running.tasks.append(task)
    return Member(running=running, worker=worker, task=task)
