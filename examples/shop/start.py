"""Starts the shop: all of it beside a gateway in one process, or some of its services on Kafka.

The one module of the shop that knows Tocsin's runtime. All else is handed an event log, and cannot tell which.
"""

import os
import secrets
import socket
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from importlib.metadata import version as installed_version
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import urljoin

from fastapi import APIRouter, FastAPI

from examples.shop import front, health, roster, setup
from examples.shop.kit import opening, topics
from examples.shop.kit.app import create_app
from examples.shop.kit.metrics import ShopMetrics
from examples.shop.kit.service import Loop, ShopPart, ShopService
from examples.shop.kit.settings import ShopSettings, from_environment
from tocsin.errors import SettingsError
from tocsin.runtime import backends, discover, gateway, program, server
from tocsin.runtime.gateway import Started, UpOptions
from tocsin.runtime.program import Ground, Program
from tocsin.runtime.service import Part
from tocsin.settings import find
from tocsin.settings.load import load
from tocsin.settings.values import Settings
from tocsin.topics import TopicSpec
from tocsin.web import docs
from tocsin.web.health import Check

GATEWAY = Path(__file__).parent / "gateway"
_OPENAPI = "/openapi.json"
_PAGE = "page"


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the command line says. `simulators`: deliver to them, and not by the providers of the settings.

    `places` are the URLs of services that run elsewhere: what is asked of them here is handed on.
    """

    services: tuple[str, ...] = ()
    host: str = "127.0.0.1"
    port: int = 8090
    gateway_port: int = 8080
    data: Path = Path("data/shop")
    simulators: bool = True
    places: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Open:
    """Where the shop is, once it serves; and, where a gateway runs in its process, where that is.

    `key` is the gateway's, if it is to be told: it is new, or kept in `key_file`.
    """

    shop: str
    gateway: str = ""
    key: str | None = None
    key_file: Path | None = None
    simulators: str = ""


def whole(options: Options, on_open: Callable[[Open], None]) -> None:
    """Run the gateway and the whole shop in this process, on the embedded log, until a signal ends them.

    Raises TocsinError, ShopSettingsError, DatabaseUnavailable where it cannot start.
    """
    settings = from_environment(os.environ, data=options.data)
    with _listening(options) as listening:
        gateway.up(
            UpOptions(
                config=str(GATEWAY / "tocsin.toml"),
                demo=options.simulators,
                port=options.gateway_port,
                overrides=_overrides(settings),
            ),
            lambda started: on_open(_open(listening, started)),
            beside=[_program(roster.SERVICES, settings, listening)],
        )


def apart(options: Options, on_open: Callable[[Open], None]) -> None:
    """Run some services on Kafka until a signal ends them. Raises as `whole` does."""
    settings = from_environment(os.environ, data=options.data)
    services = roster.chosen(options.services)
    with _listening(options) as listening:
        program.run(
            _cluster(),
            _program(services, settings, listening, options.places),
            lambda: on_open(Open(shop=server.url_of(listening))),
            version=installed_version("tocsin"),
        )


async def set_up(environ: Mapping[str, str] = os.environ) -> Sequence[str]:
    """Make the shop's topics on Kafka, and its databases on PostgreSQL, where they are missing; return their names.

    Raises SettingsError, LogUnavailable, ShopSettingsError, DatabaseUnavailable.
    """
    settings = from_environment(environ, data=Options().data)
    specs = _specs(roster.SERVICES, settings)
    await backends.make_topics(_cluster(), specs)
    return [*(spec.name for spec in specs), *await setup.databases(settings.databases.values())]


def _cluster() -> Settings:
    """Return the settings that name the Kafka: the gateway's, so that both stand on the same one."""
    settings = load(discover.setting_sections(), path=find.find(None, os.environ), environ=os.environ)
    if not backends.clustered(settings):
        raise SettingsError(
            "services run apart on Kafka only: set TOCSIN__KAFKA__BOOTSTRAP_SERVERS=host:9092, or run the whole shop "
            "in one process with `python -m examples.shop`"
        )
    return settings


def _overrides(settings: ShopSettings) -> Mapping[str, Mapping[str, Any]]:
    """Return what the gateway's settings file cannot know: where its files are, and which topics there are."""
    return {
        "": {"data_dir": str(settings.data)},
        "templates": {"root": str(GATEWAY / "templates")},
        "rules": {"root": str(GATEWAY / "rules"), "topics": topics.of_services(topics.SERVICES, settings)},
    }


def _specs(services: Sequence[ShopService], settings: ShopSettings) -> list[TopicSpec]:
    """Return the topics that services write and read."""
    names = {name for service in services for name in (service.name, *service.reads)}
    found = topics.of_services([name for name in topics.SERVICES if name in names], settings)
    return [TopicSpec(name=name, kind="delivery") for name in found]


def _program(
    services: Sequence[ShopService],
    settings: ShopSettings,
    listening: socket.socket,
    places: Mapping[str, str] = MappingProxyType({}),
) -> Program:
    @asynccontextmanager
    async def opened(ground: Ground) -> AsyncIterator[Sequence[Part]]:
        await ground.log.ensure_topics(_specs(services, settings))
        metrics = ShopMetrics(ground.metrics.registry)
        async with AsyncExitStack() as stack:
            parts = {
                service.name: await stack.enter_async_context(
                    opening.opened(
                        service,
                        settings=settings,
                        log=ground.log,
                        publisher=ground.publisher,
                        clock=ground.clock,
                        randbytes=secrets.token_bytes,
                        metrics=metrics,
                    )
                )
                for service in services
            }
            elsewhere = await stack.enter_async_context(front.opened(places))
            app = _app(list(parts.values()), elsewhere, ground)
            yield [*_in_turn(parts, Part(loops=[server.Serving(app, listening, name="shop-http")]))]

    return opened


def _in_turn(parts: Mapping[str, ShopPart], serving: Part) -> Iterator[Part]:
    """Return the parts as they are drained: nothing new comes in, then each service ends what it is at.

    The page goes first: it sends away the browsers that listen, for whom the server would wait.
    """
    drained = {name: _part(name, part) for name, part in parts.items()}
    if _PAGE in drained:
        yield drained.pop(_PAGE)
    yield serving
    yield from drained.values()


def _app(parts: Sequence[ShopPart], elsewhere: APIRouter, ground: Ground) -> FastAPI:
    loops = [loop for part in parts for loop in part.loops]
    routers = [*(part.router for part in parts), elsewhere, health.router(loops, render=ground.metrics.render)]
    app = create_app(routers, openapi_url=_OPENAPI, docs_url=None, redoc_url=None)
    docs.add(app, openapi_url=_OPENAPI)
    return app


def _part(name: str, part: ShopPart) -> Part:
    """Return a service as the gateway's host sees it."""
    return Part(loops=part.loops, checks={f"shop.{name}": lambda: _check(part.loops)})


def _check(loops: Sequence[Loop]) -> Check:
    details = [loop.detail for loop in loops if not loop.healthy]
    return Check(ok=not details, detail="; ".join(details))


def _listening(options: Options) -> socket.socket:
    """Take the shop's port before anything else is started. Raises SettingsError."""
    return server.listen(options.host, options.port)


def _open(listening: socket.socket, started: Started) -> Open:
    simulators = urljoin(next(iter(started.simulators.values())), "/") if started.simulators else ""
    shop = server.url_of(listening)
    return Open(shop=shop, gateway=started.url, key=started.key, key_file=started.key_file, simulators=simulators)
