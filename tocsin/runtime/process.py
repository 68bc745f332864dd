"""What every process of ours does around its work: its loop, its logs, and the wait for the signal that ends it."""

import asyncio
import gc
import os
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from tocsin.observe import logs
from tocsin.runtime import parent, signals
from tocsin.settings import sections
from tocsin.settings.values import Settings

_YOUNG_OBJECTS = 50_000


def run(settings: Settings, work: Coroutine[Any, Any, None]) -> None:
    """Do the work to its end, on a loop made for it, with the logs that the settings ask for."""
    configured = settings.section("logs", sections.Logs)
    logs.configure(level=configured.level, format=configured.format, stream=sys.stderr)
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(work)


@asynccontextmanager
async def told_to_end() -> AsyncIterator[asyncio.Event]:
    """Listen for the first signal, and for the end of the process that started this one; yields the event of either.

    To be held around the drain, too: a second signal, which ends the process at once, has to be heard then.
    """
    stopping = asyncio.Event()
    with signals.handled(stopping.set), parent.watched(os.environ, stopping.set):
        yield stopping


async def first_of(*events: asyncio.Event) -> None:
    """Return once one of the events is set."""
    waits = [asyncio.create_task(event.wait()) for event in events]
    await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    for wait in waits:
        wait.cancel()
    await asyncio.gather(*waits, return_exceptions=True)


def spare_the_collector() -> None:
    """Keep the garbage collector from walking again and again over what stays for as long as the process.

    Records in flight are freed by their reference counts; a collection of the oldest generation walks over all that
    is held in memory, and everybody waits for it.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG_OBJECTS, 20, 100)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    if sys.platform == "win32":
        return None
    import uvloop  # noqa: PLC0415 - not to be had on Windows

    return uvloop.new_event_loop
