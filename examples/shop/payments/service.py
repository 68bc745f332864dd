"""The payments service, as one value."""

from examples.shop.kit import parts
from examples.shop.kit.service import ShopContext, ShopPart, ShopService
from examples.shop.payments.api import Api
from examples.shop.payments.reaction import Payments
from examples.shop.payments.tables import METADATA

_NAME = "payments"
_READS = ("orders",)


def _build(context: ShopContext) -> ShopPart:
    units = parts.units_of(context)
    consumer = parts.consumer_of(context, units, Payments(), service=_NAME, reads=_READS)
    relay = parts.relay_of(context, units, service=_NAME)
    return ShopPart(router=Api(context.database).router, loops=[consumer, relay])


service = ShopService(name=_NAME, reads=_READS, tables=METADATA, build=_build)
