"""The orders service, as one value."""

from examples.shop.kit import parts
from examples.shop.kit.catalogue import CATALOGUE
from examples.shop.kit.database import Database, upsert
from examples.shop.kit.service import ShopContext, ShopPart, ShopService
from examples.shop.kit.settings import ShopSettings
from examples.shop.orders.api import Api
from examples.shop.orders.placing import Placing
from examples.shop.orders.replica import Replica
from examples.shop.orders.saga import Saga
from examples.shop.orders.tables import METADATA, prices

_NAME = "orders"
_READS = ("customers", "payments", "inventory", "shipping")


def _build(context: ShopContext) -> ShopPart:
    units = parts.units_of(context)
    replica = Replica(context.database, context.clock)
    saga = Saga(replica, context.metrics)
    placing = Placing(units, replica, context.metrics, with_payment=context.settings.payments)
    consumer = parts.consumer_of(context, units, saga, service=_NAME, reads=_READS)
    relay = parts.relay_of(context, units, service=_NAME)
    return ShopPart(router=Api(units, placing, saga).router, loops=[consumer, relay])


async def _seed(database: Database, _settings: ShopSettings) -> None:
    """Begin with the price list."""
    rows = [{"product": each.id, "name": each.name, "price_cents": each.price_cents} for each in CATALOGUE]
    async with database.begin() as connection:
        await connection.execute(upsert(connection, prices).on_conflict_do_nothing(), rows)


service = ShopService(name=_NAME, reads=_READS, tables=METADATA, build=_build, seed=_seed)
