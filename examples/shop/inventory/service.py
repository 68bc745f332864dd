"""The inventory service, as one value."""

from examples.shop.inventory.api import Api
from examples.shop.inventory.reaction import Inventory
from examples.shop.inventory.tables import METADATA, movements, stock
from examples.shop.kit import parts
from examples.shop.kit.catalogue import CATALOGUE
from examples.shop.kit.database import Database, upsert
from examples.shop.kit.service import ShopContext, ShopPart, ShopService
from examples.shop.kit.settings import ShopSettings

_NAME = "inventory"
_READS = ("orders", "payments")


def _build(context: ShopContext) -> ShopPart:
    units = parts.units_of(context)
    consumer = parts.consumer_of(context, units, Inventory(), service=_NAME, reads=_READS)
    relay = parts.relay_of(context, units, service=_NAME)
    return ShopPart(router=Api(units).router, loops=[consumer, relay])


async def _seed(database: Database, settings: ShopSettings) -> None:
    """Put the catalogue on the shelves, those products that are new."""
    async with database.begin() as connection:
        for product in CATALOGUE:
            available = settings.stock if product.stocked else 0
            row = {
                "product": product.id,
                "name": product.name,
                "price_cents": product.price_cents,
                "available": available,
            }
            added = await connection.execute(upsert(connection, stock).values(row).on_conflict_do_nothing())
            if added.rowcount:
                first = {"product": product.id, "change": available, "reason": "opened", "at_ms": 0}
                await connection.execute(movements.insert(), first)


service = ShopService(name=_NAME, reads=_READS, tables=METADATA, build=_build, seed=_seed)
