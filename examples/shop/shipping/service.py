"""The shipping service, as one value."""

from examples.shop.kit import parts
from examples.shop.kit.service import ShopContext, ShopPart, ShopService
from examples.shop.shipping.api import Api
from examples.shop.shipping.packing import Packing
from examples.shop.shipping.reaction import Shipping
from examples.shop.shipping.tables import METADATA

_NAME = "shipping"
_READS = ("inventory", "orders")


def _build(context: ShopContext) -> ShopPart:
    units = parts.units_of(context)
    packing = Packing(units)
    reaction = Shipping(context.settings.packing, packing.wake)
    consumer = parts.consumer_of(context, units, reaction, service=_NAME, reads=_READS)
    relay = parts.relay_of(context, units, service=_NAME)
    return ShopPart(router=Api(context.database).router, loops=[consumer, packing, relay])


service = ShopService(name=_NAME, reads=_READS, tables=METADATA, build=_build)
