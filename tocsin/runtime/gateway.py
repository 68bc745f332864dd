"""A gateway in this process: all of it (`tocsin up`, with `--demo` the simulators beside it), or some of its services
(`tocsin run`)."""

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

from tocsin import topics
from tocsin.clock import Clock
from tocsin.errors import SettingsError
from tocsin.observe import logs
from tocsin.runtime import backends, discover, entropy, first_key, host, parent, server, signals, wakeups, wiring
from tocsin.runtime.clock import SystemClock
from tocsin.runtime.roles import Roles
from tocsin.runtime.roles import parse as roles_of
from tocsin.runtime.service import Service, Simulator
from tocsin.runtime.simulating import simulating
from tocsin.settings import find, sections
from tocsin.settings.load import load
from tocsin.settings.values import Settings
from tocsin.web import keys_api, lag_api

_YOUNG_OBJECTS = 50_000
_INTAKE = "producer"


@dataclass(frozen=True, slots=True, kw_only=True)
class UpOptions:
    """What the command line says. None leaves it to the settings; no `services` are all of them."""

    services: tuple[str, ...] = ()
    config: str | None = None
    demo: bool = False
    host: str | None = None
    port: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """What to tell once the gateway serves. `key` is told when it is new, or when the demo keeps it in `key_file`.

    `simulators` are the pages by name, `channels` those that are enabled.
    """

    url: str
    key: str | None
    key_is_new: bool
    key_file: Path | None
    simulators: Mapping[str, str]
    data_dir: Path | None
    channels: frozenset[str] = frozenset()


def up(options: UpOptions, on_started: Callable[[Started], None]) -> int:
    """Run the gateway until a signal ends it; return the exit code.

    Raises TocsinError where it cannot start, each saying what to do.
    """
    simulators = discover.simulators() if options.demo else []
    settings = settings_for(options, simulators, os.environ)
    chosen = _roles(options, settings)
    configured = settings.section("logs", sections.Logs)
    logs.configure(level=configured.level, format=configured.format, stream=sys.stderr)
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(_serve(settings, options, simulators, chosen, on_started))
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
    chosen: Roles | None,
    on_started: Callable[[Started], None],
) -> None:
    stopping = asyncio.Event()
    # Around the drain, too: a second signal has to be heard then.
    with signals.handled(stopping.set), parent.watched(os.environ, stopping.set):
        async with gateway(settings, simulators=simulators, demo=options.demo, clock=SystemClock(), roles=chosen) as (
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
    roles: Roles | None = None,
) -> AsyncIterator[tuple[Started, asyncio.Event]]:
    """Run the gateway until the block is left, then drain it. Yields what to tell, and an event set if a part fails.

    With `roles`, only those of the services. Raises TocsinError where it cannot start.
    """
    http = settings.section("http", sections.Http)
    release = installed_version("tocsin")
    async with AsyncExitStack() as stack:
        listening = server.listen(http.host, http.port, key="http.port")
        stack.callback(listening.close)
        pages = await stack.enter_async_context(simulating(simulators, clock=clock)) if simulators else {}
        wired = await stack.enter_async_context(
            wiring.wired(
                settings,
                version=release,
                channels=discover.enabled(settings),
                delivers=roles.channels if roles else None,
                clock=clock,
                random=Random(),  # noqa: S311 - spreads retries, guards nothing
                randbytes=entropy.source(),
            )
        )
        key = await _first_key(wired, settings, roles, demo=demo)
        running = await stack.enter_async_context(
            host.running(
                wired.context,
                [each for each in services or discover.services() if roles is None or each.name in roles.services],
                version=release,
                extra=wired.loops,
                routers=[
                    keys_api.router(wired.keys, wired.publish, randbytes=secrets.token_bytes),
                    lag_api.router(wired.context.log, topics.groups(wired.context.channels)),
                ],
            )
        )
        url = await stack.enter_async_context(server.serving(running.app, listening))
        stack.callback(wired.context.wakeups.tell, wakeups.DRAINING, wakeups.HTTP)
        started = Started(
            url=url,
            key=key.text if key else None,
            key_is_new=key.new if key else False,
            key_file=key.file if key else None,
            simulators=pages,
            data_dir=None if backends.clustered(settings) else backends.data_dir(settings),
            channels=frozenset(wired.context.channels),
        )
        yield started, running.failed


async def _first_key(
    wired: wiring.Wired, settings: Settings, roles: Roles | None, *, demo: bool
) -> first_key.FirstKey | None:
    """Make the first key where keys are needed first of all; no other process shall print one into its log."""
    if roles is not None and _INTAKE not in roles.services:
        return None
    return await first_key.ensure(
        wired.keys,
        directory=backends.data_dir(settings),
        demo=demo,
        environ=os.environ,
        randbytes=secrets.token_bytes,
    )


def _roles(options: UpOptions, settings: Settings) -> Roles | None:
    if not options.services:
        return None
    if not backends.clustered(settings):
        raise SettingsError(
            "services run apart on Kafka and PostgreSQL only: set kafka.bootstrap_servers and store.url, or run "
            "everything in one process with `tocsin up`"
        )
    installed = [service.name for service in discover.services()]
    chosen = roles_of(options.services, services=installed, channels=discover.channels())
    if idle := (chosen.channels or frozenset()) - discover.enabled(settings).keys():
        name = min(idle)
        raise SettingsError(f"the channel {name} is off: no provider is set for it; see docs/channels/{name}.md")
    return chosen


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
