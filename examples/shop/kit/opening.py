"""Opening a service: its database with all tables, what it begins with, and its parts."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from examples.shop.kit.database import open_database
from examples.shop.kit.metrics import ShopMetrics
from examples.shop.kit.service import ShopContext, ShopPart, ShopService
from examples.shop.kit.settings import ShopSettings
from tocsin.clock import Clock
from tocsin.eventlog.port import EventLog, Publisher


@asynccontextmanager
async def opened(
    service: ShopService,
    *,
    settings: ShopSettings,
    log: EventLog,
    publisher: Publisher,
    clock: Clock,
    randbytes: Callable[[int], bytes],
    metrics: ShopMetrics,
) -> AsyncIterator[ShopPart]:
    """Open a service for as long as the block lasts. Its loops are the caller's to run and to stop.

    The topics that it reads and writes (`topics.of_services`) are there. Raises ShopSettingsError, DatabaseUnavailable.
    """
    async with open_database(settings.database_url(service.name)) as database:
        await database.make(service.tables, service=service.name)
        await service.seed(database, settings)
        yield service.build(
            ShopContext(
                settings=settings,
                database=database,
                log=log,
                publisher=publisher,
                clock=clock,
                randbytes=randbytes,
                metrics=metrics,
            )
        )
