"""Runs services: one app on one port, their loops beside it, and a drain when it is time to go.

The drain goes with the stream: HTTP first, so that nothing new comes in, then each service's loops in the order in
which work passes through them. The log is closed last.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

from fastapi import APIRouter, FastAPI
from loguru import logger

from tocsin.consume.loop import Loop
from tocsin.errors import TocsinError
from tocsin.runtime.service import Context, Part, Service
from tocsin.settings import sections
from tocsin.web.app import create_app
from tocsin.web.health import Check

_DRAIN = timedelta(seconds=28)


class LoopFailed(TocsinError):
    """A loop ended by itself, or with an exception: a bug. The gateway stops rather than run without it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """Services at work: the app to serve, and an event that is set when a loop failed."""

    app: FastAPI
    failed: asyncio.Event


def assemble(context: Context, parts: Sequence[Part], routers: Sequence[APIRouter], *, version: str) -> FastAPI:
    """Return the one app of these parts, with the routers that belong to none."""
    http = context.settings.section("http", sections.Http)
    checks: dict[str, Callable[[], Check]] = {"event_log": lambda: _log_check(context)}
    for part in parts:
        checks.update(part.checks)
    return create_app(
        title="Tocsin",
        version=version,
        routers=[*(part.router for part in parts if part.router is not None), *routers],
        metrics=context.metrics,
        authenticator=context.authenticator,
        checks=checks,
        monotonic=context.clock.monotonic,
        docs_open=http.docs_open,
        metrics_open=http.metrics_open,
    )


@asynccontextmanager
async def running(
    context: Context,
    services: Sequence[Service],
    *,
    version: str,
    before: Sequence[Part] = (),
    extra: Sequence[Loop] = (),
    routers: Sequence[APIRouter] = (),
) -> AsyncIterator[Running]:
    """Build the services and run their loops until the block is left; then drain them in order.

    `before` are parts that hand work to the services, and are drained before them. Raises LoopFailed on the way out if
    a loop failed.
    """
    parts = [*before, *(service.build(context) for service in services)]
    async with at_work(parts, extra=extra) as failed:
        yield Running(app=assemble(context, parts, routers, version=version), failed=failed)


@asynccontextmanager
async def at_work(parts: Sequence[Part], *, extra: Sequence[Loop] = ()) -> AsyncIterator[asyncio.Event]:
    """Run the loops of these parts until the block is left; then drain them in order. Yields the event of a failure.

    Raises LoopFailed on the way out if a loop failed.
    """
    failed = asyncio.Event()
    loops = [loop for part in parts for loop in part.loops] + list(extra)
    tasks = {loop: asyncio.create_task(_watched(loop, failed), name=loop.name) for loop in loops}
    try:
        yield failed
    finally:
        await _drain(parts, extra, tasks)
        for part in parts:
            if part.aclose is not None:
                await part.aclose()
    if failed.is_set():
        raise LoopFailed("a part of it failed; see the log")


async def _watched(loop: Loop, failed: asyncio.Event) -> None:
    try:
        await loop.run()
    except Exception as error:  # noqa: BLE001 - told here, and the gateway stops
        logger.opt(exception=error).critical("loop_failed", loop=loop.name)
        failed.set()


async def _drain(parts: Sequence[Part], extra: Sequence[Loop], tasks: Mapping[Loop, asyncio.Task[None]]) -> None:
    deadline = asyncio.get_running_loop().time() + _DRAIN.total_seconds()
    for loops in (*(part.loops for part in parts), extra):
        for loop in loops:
            loop.stop()
        waiting = [tasks[loop] for loop in loops]
        if waiting:
            await asyncio.wait(waiting, timeout=max(0.0, deadline - asyncio.get_running_loop().time()))
    late = [task for task in tasks.values() if not task.done()]
    for task in late:
        logger.warning("loop_cut_off", loop=task.get_name())
        task.cancel()
    await asyncio.gather(*late, return_exceptions=True)


def _log_check(context: Context) -> Check:
    health = context.log.health()
    return Check(ok=health.writable and health.accepting, detail=health.detail)
