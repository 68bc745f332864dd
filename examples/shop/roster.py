"""Who works in the shop: every service, in the order in which an order meets them, and the page that shows it all."""

from collections.abc import Sequence

from examples.shop.customers.service import service as customers
from examples.shop.inventory.service import service as inventory
from examples.shop.kit.service import ShopService
from examples.shop.kit.settings import ShopSettingsError
from examples.shop.orders.service import service as orders
from examples.shop.page.service import service as page
from examples.shop.payments.service import service as payments
from examples.shop.shipping.service import service as shipping

SERVICES: tuple[ShopService, ...] = (customers, orders, payments, inventory, shipping, page)


def chosen(names: Sequence[str]) -> list[ShopService]:
    """Return the services of these names, all if there are none. Raises ShopSettingsError for one that is unknown."""
    known = {service.name: service for service in SERVICES}
    if strange := [name for name in names if name not in known]:
        raise ShopSettingsError(f"there is no service {strange[0]}; services: {', '.join(known)}")
    return [service for service in SERVICES if not names or service.name in names]
