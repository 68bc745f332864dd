"""Push at work: what the channel hands to the delivery path. The address says which service takes a delivery."""

import asyncio
from collections.abc import Sequence

from channels.provider import Provider
from channels.push import device
from channels.push.message import Push
from channels.push.render import Renderer
from channels.push.settings import PushSettings
from tocsin.delivery import Delivery
from tocsin.outcome import Rejected
from tocsin.templates.catalogue import Catalogue


class PushCarrier:
    """Implements `channels.provider.Carrier`. `providers` are named as the devices' services; at least one."""

    def __init__(self, settings: PushSettings, catalogue: Catalogue, providers: Sequence[Provider]) -> None:
        self._providers = tuple(providers)
        self._names = frozenset(provider.name for provider in providers)
        self._renderer = Renderer(
            catalogue=catalogue, providers=self._names, urgent_lanes=frozenset(settings.urgent_lanes)
        )

    @property
    def providers(self) -> Sequence[Provider]:
        """The push services that are configured."""
        return self._providers

    def candidates(self, delivery: Delivery) -> Sequence[str]:
        """Return the service of the device. One that is not configured is refused by `render`, before it is needed."""
        name = device.parse(delivery.address).provider
        return (name if name in self._names else self._providers[0].name,)

    async def render(self, delivery: Delivery) -> Push | Rejected:
        """Return the push of this delivery, or why there can be none."""
        return self._renderer.render(delivery)

    async def aclose(self) -> None:
        """Close the connections to all services."""
        await asyncio.gather(*(provider.aclose() for provider in self._providers))
