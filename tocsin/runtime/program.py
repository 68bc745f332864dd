"""A program that works on the gateway's event log and is no part of it: in a process of its own, or in the gateway's.

It serves what it answers by itself (`server.Serving` is a loop for that); the host runs and drains its loops.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from tocsin.clock import Clock
from tocsin.eventlog.port import EventLog, Publisher
from tocsin.observe.metrics import Metrics
from tocsin.runtime import backends, host, process
from tocsin.runtime.clock import SystemClock
from tocsin.runtime.service import Part
from tocsin.settings.values import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What a program stands on: a log, open for use, and what goes with it."""

    log: EventLog
    publisher: Publisher
    metrics: Metrics
    clock: Clock


# Opens a program, for as long as the block lasts. Its parts are drained one after the other, in their order, before the
# block is left. It makes or checks its own topics, and raises TocsinError where it cannot start.
Program = Callable[[Ground], AbstractAsyncContextManager[Sequence[Part]]]


def run(settings: Settings, program: Program, on_started: Callable[[], None], *, version: str) -> None:
    """Run a program on the cluster that the settings name until a signal ends it, then drain it.

    Raises TocsinError where it cannot start or a part of it fails.
    """
    process.run(settings, _until_told(settings, program, on_started, version=version))


@asynccontextmanager
async def running(settings: Settings, program: Program, *, version: str, clock: Clock) -> AsyncIterator[asyncio.Event]:
    """Run a program until the block is left, then drain it. Yields an event that is set if a part of it fails."""
    metrics = Metrics(version=version)
    async with AsyncExitStack() as stack:
        log = await stack.enter_async_context(backends.event_log(settings, clock=clock, metrics=metrics))
        publisher = await stack.enter_async_context(log.publisher())
        ground = Ground(log=log, publisher=publisher, metrics=metrics, clock=clock)
        parts = await stack.enter_async_context(program(ground))
        yield await stack.enter_async_context(host.at_work(parts))


async def _until_told(settings: Settings, program: Program, on_started: Callable[[], None], *, version: str) -> None:
    async with (
        process.told_to_end() as stopping,
        running(settings, program, version=version, clock=SystemClock()) as failed,
    ):
        process.spare_the_collector()
        on_started()
        await process.first_of(stopping, failed)
