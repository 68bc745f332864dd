"""The parts that every service has: its units of work, the relay of its outbox, and the consumer of what it hears."""

from collections.abc import Sequence

from examples.shop.kit import topics
from examples.shop.kit.consumer import Consumer
from examples.shop.kit.inbox import Reaction
from examples.shop.kit.outbox import Relay
from examples.shop.kit.service import ShopContext
from examples.shop.kit.unit import Units


def units_of(context: ShopContext) -> Units:
    """Return the service's units of work."""
    return Units(context.database, clock=context.clock, randbytes=context.randbytes)


def relay_of(context: ShopContext, units: Units, *, service: str) -> Relay:
    """Return the relay of a service's outbox, which is woken by what the units emit."""
    relay = Relay(
        service=service,
        topic=topics.of_service(service, context.settings),
        database=context.database,
        publisher=context.publisher,
        clock=context.clock,
        metrics=context.metrics,
    )
    units.on_emitted(relay.wake)
    return relay


def consumer_of(
    context: ShopContext, units: Units, reaction: Reaction, *, service: str, reads: Sequence[str]
) -> Consumer:
    """Return the consumer of the services that a service hears."""
    return Consumer(
        service=service,
        heard=topics.of_services(reads, context.settings),
        log=context.log,
        units=units,
        reaction=reaction,
        metrics=context.metrics,
    )
