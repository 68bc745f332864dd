"""The page, as one value like the services: but it reads only, and what it knows can be forgotten."""

from examples.shop.kit import topics
from examples.shop.kit.service import ShopContext, ShopPart, ShopService
from examples.shop.page.api import Api
from examples.shop.page.feed import Feed
from examples.shop.page.hub import Hub
from examples.shop.page.messages import Simulators
from examples.shop.page.reader import Reader
from examples.shop.page.stream import Events
from examples.shop.page.tables import METADATA

_NAME = "page"
_READS = topics.SERVICES


def _build(context: ShopContext) -> ShopPart:
    hub = Hub()
    api = Api(
        events=Events(context.database, hub, clock=context.clock),
        feed=Feed(context.database),
        hub=hub,
        simulators=Simulators(context.settings.simulators),
    )
    reader = Reader(
        heard=topics.of_services(_READS, context.settings),
        log=context.log,
        database=context.database,
        hub=hub,
        clock=context.clock,
    )
    return ShopPart(router=api.router, loops=[reader])


service = ShopService(name=_NAME, reads=_READS, tables=METADATA, build=_build)
