"""Simulators at work: each protocol on a port of its own, and the controls of all of them together on one."""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

from fastapi import FastAPI, Response

from tocsin.clock import Clock
from tocsin.errors import SettingsError
from tocsin.observe import logs
from tocsin.runtime import discover, server, signals, simulators_page
from tocsin.runtime.clock import SystemClock
from tocsin.runtime.service import LOOPBACK, Simulator

PORT = 8190


def simulate(names: Sequence[str], *, host: str, port: int, on_started: Callable[[Mapping[str, str]], None]) -> None:
    """Run simulators (none named: all) until a signal ends them; tell `on_started` their pages by name.

    Raises SettingsError for one that is not installed, and for a port that cannot be had.
    """
    chosen = _chosen(names)
    logs.configure(level="INFO", format="auto", stream=sys.stderr)
    asyncio.run(_until_told(chosen, host, port, on_started))


@asynccontextmanager
async def simulating(
    simulators: Sequence[Simulator], *, clock: Clock, host: str = LOOPBACK, port: int = PORT
) -> AsyncIterator[Mapping[str, str]]:
    """Run simulators until the block is left; yields their pages by name. Raises SettingsError."""
    app = FastAPI(title="Tocsin simulators", docs_url="/docs", redoc_url=None)

    @app.get("/healthz")
    async def healthz() -> Mapping[str, str]:
        """Whether they are there."""
        return {"status": "ok"}

    @app.get("/", include_in_schema=False)
    async def index() -> Response:
        return simulators_page.page(simulators)

    async with AsyncExitStack() as stack:
        for simulator in simulators:
            router = await stack.enter_async_context(simulator.open(clock, host=host))
            app.include_router(router, prefix=f"/{simulator.name}")
        listening = server.listen(host, port)
        stack.callback(listening.close)
        url = await stack.enter_async_context(server.serving(app, listening))
        yield {simulator.name: f"{url}/{simulator.name}/" for simulator in simulators}


def _chosen(names: Sequence[str]) -> list[Simulator]:
    installed = {simulator.name: simulator for simulator in discover.simulators()}
    if strange := [name for name in names if name not in installed]:
        raise SettingsError(f"there is no simulator {strange[0]}; simulators: {', '.join(sorted(installed))}")
    return [installed[name] for name in dict.fromkeys(names)] if names else list(installed.values())


async def _until_told(
    simulators: Sequence[Simulator], host: str, port: int, on_started: Callable[[Mapping[str, str]], None]
) -> None:
    stopping = asyncio.Event()
    with signals.handled(stopping.set):
        async with simulating(simulators, clock=SystemClock(), host=host, port=port) as pages:
            on_started(pages)
            await stopping.wait()
