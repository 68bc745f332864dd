"""A gateway in this process: all of it (`tocsin up`, with `--demo` the simulators beside it), or some of its services
(`tocsin run`)."""

import asyncio
import os
import secrets
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from importlib.metadata import version as installed_version
from pathlib import Path
from random import Random
from typing import Any

from tocsin import topics
from tocsin.clock import Clock
from tocsin.errors import SettingsError
from tocsin.runtime import backends, discover, entropy, first_key, host, process, server, wakeups, wiring
from tocsin.runtime.clock import SystemClock
from tocsin.runtime.program import Ground, Program
from tocsin.runtime.roles import Roles
from tocsin.runtime.roles import parse as roles_of
from tocsin.runtime.service import Context, Service, Simulator
from tocsin.runtime.simulating import simulating
from tocsin.settings import find, sections
from tocsin.settings.load import load
from tocsin.settings.values import Settings
from tocsin.web import keys_api, lag_api

_INTAKE = "producer"


@dataclass(frozen=True, slots=True, kw_only=True)
class UpOptions:
    """What the command line says. None leaves it to the settings; no `services` are all of them.

    `overrides` are settings of whoever starts the gateway, by section: above the file's, below the environment's.
    """

    services: tuple[str, ...] = ()
    config: str | None = None
    demo: bool = False
    host: str | None = None
    port: int | None = None
    overrides: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


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


def up(options: UpOptions, on_started: Callable[[Started], None], *, beside: Sequence[Program] = ()) -> int:
    """Run the gateway until a signal ends it; return the exit code. `beside` are programs that share its process.

    Raises TocsinError where it cannot start, each saying what to do.
    """
    simulators = discover.simulators() if options.demo else []
    settings = settings_for(options, simulators, os.environ)
    chosen = _roles(options, settings)
    process.run(
        settings,
        _serve(settings, on_started, simulators=simulators, demo=options.demo, roles=chosen, beside=beside),
    )
    return 0


def settings_for(options: UpOptions, simulators: Sequence[Simulator], environ: Mapping[str, str]) -> Settings:
    """Return the settings: defaults < file < the demo's and the command line's < environment. Raises SettingsError."""
    overrides: dict[str, dict[str, Any]] = {}
    for layer in (*(simulator.overrides for simulator in simulators), options.overrides):
        for section, values in layer.items():
            overrides.setdefault(section, {}).update(values)
    told = {"host": options.host, "port": options.port}
    if http := {name: value for name, value in told.items() if value is not None}:
        overrides.setdefault("http", {}).update(http)
    path = find.find(options.config, environ)
    return load(discover.setting_sections(), path=path, environ=environ, overrides=overrides)


async def _serve(settings: Settings, on_started: Callable[[Started], None], **parts: Any) -> None:
    async with (
        process.told_to_end() as stopping,
        gateway(settings, clock=SystemClock(), **parts) as (started, failed),
    ):
        process.spare_the_collector()
        on_started(started)
        await process.first_of(stopping, failed)


@asynccontextmanager
async def gateway(
    settings: Settings,
    *,
    simulators: Sequence[Simulator] = (),
    demo: bool = False,
    clock: Clock,
    services: Sequence[Service] | None = None,
    roles: Roles | None = None,
    beside: Sequence[Program] = (),
) -> AsyncIterator[tuple[Started, asyncio.Event]]:
    """Run the gateway until the block is left, then drain it. Yields what to tell, and an event set if a part fails.

    With `roles`, only those of the services. What runs `beside` them is drained before them. Raises TocsinError where
    it cannot start.
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
        others = [await stack.enter_async_context(program(_ground(wired.context))) for program in beside]
        running = await stack.enter_async_context(
            host.running(
                wired.context,
                [each for each in services or discover.services() if roles is None or each.name in roles.services],
                version=release,
                before=[part for parts in others for part in parts],
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


def _ground(context: Context) -> Ground:
    return Ground(log=context.log, publisher=context.publisher, metrics=context.metrics, clock=context.clock)


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
