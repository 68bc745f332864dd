"""`tocsin up`: the whole gateway in one process, on the embedded log; with `--demo`, the simulators beside it."""

import asyncio
import gc
import os
import secrets
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from importlib.metadata import version as installed_version
from pathlib import Path
from random import Random
from typing import Any

from fastapi import FastAPI

from tocsin.clock import Clock
from tocsin.observe import logs
from tocsin.runtime import discover, entropy, first_key, host, server, signals, wiring
from tocsin.runtime.clock import SystemClock
from tocsin.runtime.service import Service, Simulator
from tocsin.settings import find, sections
from tocsin.settings.load import load
from tocsin.settings.values import Settings
from tocsin.web import keys_api

SIMULATOR_PORT = 8190
_YOUNG_OBJECTS = 50_000


@dataclass(frozen=True, slots=True, kw_only=True)
class UpOptions:
    """What the command line says. None leaves it to the settings."""

    config: str | None = None
    demo: bool = False
    host: str | None = None
    port: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """What to tell once the gateway serves. `key` is told when it is new, or when the demo keeps it in `key_file`."""

    url: str
    key: str | None
    key_is_new: bool
    key_file: Path | None
    simulators: Mapping[str, str]
    data_dir: Path


def up(options: UpOptions, on_started: Callable[[Started], None]) -> int:
    """Run the gateway until a signal ends it; return the exit code.

    Raises TocsinError where it cannot start, each saying what to do.
    """
    simulators = discover.simulators() if options.demo else []
    settings = settings_for(options, simulators, os.environ)
    configured = settings.section("logs", sections.Logs)
    logs.configure(level=configured.level, format=configured.format, stream=sys.stderr)
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(_serve(settings, options, simulators, on_started))
    return 0


def settings_for(options: UpOptions, simulators: Sequence[Simulator], environ: Mapping[str, str]) -> Settings:
    """Return the settings: defaults < file < the demo's and the command line's < environment. Raises SettingsError."""
    overrides: dict[str, dict[str, Any]] = {}
    for simulator in simulators:
        for section, values in simulator.overrides.items():
            overrides.setdefault(section, {}).update(values)
    told = {"host": options.host, "port": options.port}
    if http := {name: value for name, value in told.items() if value is not None}:
        overrides.setdefault("http", {}).update(http)
    path = find.find(options.config, environ)
    return load(discover.setting_sections(), path=path, environ=environ, overrides=overrides)


async def _serve(
    settings: Settings,
    options: UpOptions,
    simulators: Sequence[Simulator],
    on_started: Callable[[Started], None],
) -> None:
    stopping = asyncio.Event()
    with signals.handled(stopping.set):  # around the drain, too: a second signal has to be heard then
        async with gateway(settings, simulators=simulators, demo=options.demo, clock=SystemClock()) as (
            started,
            failed,
        ):
            _spare_the_collector()
            on_started(started)
            waits = [asyncio.create_task(event.wait()) for event in (stopping, failed)]
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            for wait in waits:
                wait.cancel()
            await asyncio.gather(*waits, return_exceptions=True)


@asynccontextmanager
async def gateway(
    settings: Settings,
    *,
    simulators: Sequence[Simulator] = (),
    demo: bool = False,
    clock: Clock,
    services: Sequence[Service] | None = None,
) -> AsyncIterator[tuple[Started, asyncio.Event]]:
    """Run the gateway until the block is left, then drain it. Yields what to tell, and an event set if a part fails.

    Raises TocsinError where it cannot start.
    """
    http = settings.section("http", sections.Http)
    release = installed_version("tocsin")
    async with AsyncExitStack() as stack:
        listening = server.listen(http.host, http.port, key="http.port")
        stack.callback(listening.close)
        pages = await _simulators(stack, simulators, clock)
        wired = await stack.enter_async_context(
            wiring.wired(
                settings,
                version=release,
                channels=discover.channels(),
                clock=clock,
                random=Random(),  # noqa: S311 - spreads retries, guards nothing
                randbytes=entropy.source(),
            )
        )
        directory = wiring.data_dir(settings)
        key = await first_key.ensure(
            wired.keys, directory=directory, demo=demo, environ=os.environ, randbytes=secrets.token_bytes
        )
        running = await stack.enter_async_context(
            host.running(
                wired.context,
                services or discover.services(),
                version=release,
                extra=wired.loops,
                routers=[keys_api.router(wired.keys, wired.publish, randbytes=secrets.token_bytes)],
            )
        )
        url = await stack.enter_async_context(server.serving(running.app, listening))
        started = Started(
            url=url,
            key=key.text if key else None,
            key_is_new=key.new if key else False,
            key_file=key.file if key else None,
            simulators=pages,
            data_dir=directory,
        )
        yield started, running.failed


async def _simulators(stack: AsyncExitStack, simulators: Sequence[Simulator], clock: Clock) -> Mapping[str, str]:
    """Start the simulators and serve their controls on one port; return their pages by name."""
    if not simulators:
        return {}
    app = FastAPI(title="Tocsin simulators", docs_url="/docs", redoc_url=None)
    for simulator in simulators:
        router = await stack.enter_async_context(simulator.open(clock))
        app.include_router(router, prefix=f"/{simulator.name}")
    listening = server.listen("127.0.0.1", SIMULATOR_PORT, key="simulators.port")
    stack.callback(listening.close)
    url = await stack.enter_async_context(server.serving(app, listening))
    return {simulator.name: f"{url}/{simulator.name}/" for simulator in simulators}


def _spare_the_collector() -> None:
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
