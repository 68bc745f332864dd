"""The customers service, as one value."""

from examples.shop.customers.api import Api
from examples.shop.customers.tables import METADATA
from examples.shop.kit import parts
from examples.shop.kit.service import ShopContext, ShopPart, ShopService

_NAME = "customers"


def _build(context: ShopContext) -> ShopPart:
    units = parts.units_of(context)
    return ShopPart(router=Api(units).router, loops=[parts.relay_of(context, units, service=_NAME)])


service = ShopService(name=_NAME, reads=(), tables=METADATA, build=_build)
