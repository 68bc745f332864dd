"""The load from its beginning to its end: traffic, kills, rest, and what is left behind."""

import asyncio
import os
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import httpx

from examples.shop import start
from examples.shop.kit.catalogue import CATALOGUE
from examples.shop.kit.settings import ShopSettings, from_environment
from examples.shop.load import books, stage, sums
from examples.shop.load.plan import SCARCE, Planned, chairs, planned
from examples.shop.load.processes import Process
from examples.shop.load.providers import Providers, providing
from examples.shop.load.stage import IN_FLIGHT, STOCK, Log, Stage
from examples.shop.load.sums import Sum
from examples.shop.load.traffic import Traffic
from tocsin.runtime import parent

_TEMPLATES = start.GATEWAY / "templates"
# What may come a second time after each kill: what was being sent on both channels.
_EXCUSED = 2 * IN_FLIGHT
_LOOK_SECONDS = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """So many orders on this log, with so many kills; `data` is an empty folder. The end comes within `seconds`.

    On Kafka there are so many `copies` of each service; two and more share databases on PostgreSQL.
    """

    log: Log
    orders: int
    kills: int
    data: Path
    copies: int = 1
    seed: int = 1
    seconds: float = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Endured:
    """How it ended: the sums, how many processes were killed, and whether it came to rest in time."""

    sums: Sequence[Sum]
    kills: int
    rested: bool

    @property
    def right(self) -> bool:
        """Whether everything is as it must be."""
        return self.rested and all(each.right for each in self.sums)


async def endured(options: Options, tell: Callable[[str], None]) -> Endured:
    """Have the shop endure it. Raises Failed, Refused, DatabaseUnavailable."""
    random = Random(options.seed)  # noqa: S311 - spreads the load, guards nothing
    plan = planned(options.orders, random=random)
    databases = stage.databases(os.environ, copies=options.copies)
    shop = from_environment({**os.environ, **databases}, data=options.data)
    async with AsyncExitStack() as stack:
        if options.log == "kafka":
            await start.set_up({**os.environ, **databases})
        providers = await stack.enter_async_context(providing())
        end = stack.enter_context(parent.pipe())
        given = {**providers.environment, **databases}
        staged = stage.set_up(options.log, shop=shop, environment=given, copies=options.copies, end=end)
        processes = stack.enter_context(staged)
        for process in processes.processes:
            stack.push_async_callback(process.close)
        tell(f"Starting {', '.join(process.name for process in processes.processes)} …")
        await asyncio.gather(*(process.start() for process in processes.processes))
        opened = await _ordered(plan, processes, options, random, tell)
        rested = await _rested(shop, providers, options.seconds)
        tell("Everything has ended. Draining …" if rested else f"No rest after {options.seconds:g} s. Draining …")
        await asyncio.gather(*(process.drain() for process in processes.processes))
        found = sums.reckoned(
            plan,
            await books.read(shop),
            providers.came(_TEMPLATES),
            opened=opened,
            excused=_EXCUSED * processes.kills,
        )
    return Endured(sums=found, kills=processes.kills, rested=rested)


async def _ordered(
    plan: Sequence[Planned], processes: Stage, options: Options, random: Random, tell: Callable[[str], None]
) -> Mapping[str, int]:
    """Place all orders while processes are killed; return the stock that there was."""
    opened = {each.id: STOCK if each.stocked else 0 for each in CATALOGUE} | {SCARCE: chairs(plan)}
    async with httpx.AsyncClient(timeout=30, trust_env=False, limits=httpx.Limits(max_connections=None)) as client:
        traffic = Traffic(client, processes.urls, random=random)
        await traffic.open_with(SCARCE, opened[SCARCE])
        tell(f"Placing {len(plan)} orders at once …")
        placing = asyncio.create_task(traffic.order(plan))
        try:
            for victim, placed in _victims(processes.processes, len(plan), options.kills, random):
                await _first_of(traffic.reached(placed), placing)
                tell(f"{traffic.placed} placed: killing {victim.name}")
                await victim.kill_and_restart()
            await placing
        finally:
            placing.cancel()
            await asyncio.wait({placing})
    return opened


def _victims(processes: Sequence[Process], orders: int, kills: int, random: Random) -> list[tuple[Process, int]]:
    """Return who is killed, and after how many orders: each in turn, the last when all are placed."""
    turn = random.sample(processes, len(processes))
    return [(turn[number % len(turn)], orders * (number + 1) // kills) for number in range(kills)]


async def _first_of(reached: Coroutine[Any, Any, None], placing: asyncio.Task[None]) -> None:
    """Return once so many are placed. Raises at once what kept them from being placed."""
    waiting = asyncio.create_task(reached)
    await asyncio.wait({waiting, placing}, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    if placing.done():
        await placing


async def _rested(shop: ShopSettings, providers: Providers, seconds: float) -> bool:
    """Return whether every order ended, and every mail came, in time."""
    deadline = asyncio.get_running_loop().time() + seconds
    while asyncio.get_running_loop().time() < deadline:
        found = await books.read(shop)
        if found.at_rest and sums.all_came(found, providers.came(_TEMPLATES)):
            return True
        await asyncio.sleep(_LOOK_SECONDS)
    return False
