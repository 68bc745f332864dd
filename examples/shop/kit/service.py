"""What a service of the shop is: one value, from which all of its parts are made."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from fastapi import APIRouter
from sqlalchemy import MetaData

from examples.shop.kit.database import Database
from examples.shop.kit.metrics import ShopMetrics
from examples.shop.kit.settings import ShopSettings
from tocsin.clock import Clock
from tocsin.eventlog.port import EventLog, Publisher

# Fills a new database with what a service begins with. Called at each start: does nothing the second time.
Seed = Callable[[Database, ShopSettings], Awaitable[None]]


async def nothing(_database: Database, _settings: ShopSettings) -> None:
    """The seed of a service that begins with nothing."""


class Loop(Protocol):
    """Something that goes on until it is told to stop, and then drains. The gateway's host can run it as its own."""

    @property
    def name(self) -> str:
        """The name in logs."""

    @property
    def healthy(self) -> bool:
        """Whether the last thing that was tried worked."""

    @property
    def detail(self) -> str:
        """Why it is not healthy, else empty."""

    async def run(self) -> None:
        """Work until stopped; return once drained. An exception that leaves it is a bug."""

    def stop(self) -> None:
        """Take nothing new, finish what runs, and let `run` return. May be called before `run`, and twice."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShopContext:
    """What a service is made from. `randbytes` makes ids: never the same bytes twice."""

    settings: ShopSettings
    database: Database
    log: EventLog
    publisher: Publisher
    clock: Clock
    randbytes: Callable[[int], bytes]
    metrics: ShopMetrics


@dataclass(frozen=True, slots=True, kw_only=True)
class ShopPart:
    """A service at work: what it answers, and its loops in the order in which they are stopped."""

    router: APIRouter
    loops: Sequence[Loop] = field(default=())


@dataclass(frozen=True, slots=True, kw_only=True)
class ShopService:
    """A service. `reads` names the services whose events it hears; `tables` are its own, and those of the kit in them.

    Open one with `examples.shop.kit.opening.opened`, which makes its tables and what they begin with.
    """

    name: str
    reads: Sequence[str]
    tables: MetaData
    build: Callable[[ShopContext], ShopPart]
    seed: Seed = nothing
