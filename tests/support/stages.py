"""A channel at work with its real adapter, on the simulator of a provider."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from random import Random
from typing import Any

from channels.provider import Carrier, Claim, Provider
from tests.support.backends import Backend
from tests.support.clock import ManualClock
from tests.support.delivering import ChannelAtWork, at_work, make_delivery
from tests.support.kinds import Kind
from tests.support.peers import Peer
from tocsin.clock import Clock
from tocsin.delivery import Delivery
from tocsin.lifecycle import AuditEvent, Event
from tocsin.observe.metrics import Metrics
from tocsin.outcome import Outcome
from tocsin.runtime import discover
from tocsin.runtime.service import CarrierContext
from tocsin.settings.load import load
from tocsin.templates.catalogue import Catalogue
from tocsin.validation import Fault


class Watched:
    """Fulfils `Provider` by another one, and takes note of when it is called, and of how many calls there are at once.

    `most` were under way at a time; `ended` are over.
    """

    def __init__(self, provider: Provider, clock: Clock) -> None:
        self._provider = provider
        self._clock = clock
        self.name = provider.name
        self.capabilities = provider.capabilities
        self.calls: list[datetime] = []
        self.most = self.ended = 0

    @property
    def under_way(self) -> int:
        """How many calls there are now."""
        return len(self.calls) - self.ended

    async def send(self, message: Any, *, key: str, deadline: float, claim: Claim) -> Outcome:
        """See `Provider`."""
        self.calls.append(self._clock.now())
        self.most = max(self.most, self.under_way)
        try:
            return await self._provider.send(message, key=key, deadline=deadline, claim=claim)
        finally:
            self.ended += 1

    async def aclose(self) -> None:
        """See `Provider`."""
        await self._provider.aclose()


class WatchedCarrier:
    """Fulfils `Carrier` by another one with one provider, which is watched."""

    def __init__(self, carrier: Carrier, clock: Clock) -> None:
        [provider] = carrier.providers
        self._carrier = carrier
        self.candidates, self.render, self.aclose = carrier.candidates, carrier.render, carrier.aclose
        self.providers = (Watched(provider, clock),)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """A channel at work on one provider's simulator. `make` makes deliveries."""

    kind: Kind
    peer: Peer
    running: ChannelAtWork
    provider: Watched
    addresses: Callable[[Mapping[str, Any]], Any]

    async def address(self, number: int) -> str:
        """Return the address of somebody new."""
        found = self.addresses(await self.kind.recipient(self.peer, number))
        assert not isinstance(found, Fault), found.detail
        [address] = found
        return str(address)

    async def accept(self, *addresses: str, **more: Any) -> list[Delivery]:
        """Accept a delivery to each; return them."""
        now = self.running.clock.now()
        made = [
            make_delivery(each, now=now, channel=self.kind.channel, content=self.kind.content, **more)
            for each in addresses
        ]
        await self.running.accept(*made)
        return made

    async def until_suffered(self, times: int) -> None:
        """Return once so many calls have met a fault."""
        async with asyncio.timeout(20):
            while await self.peer.suffered() < times:  # noqa: ASYNC110 - of what others do there is no event
                await asyncio.sleep(0.002)

    async def attempts(self, delivery: Delivery) -> list[AuditEvent]:
        """Return the attempts of a delivery, as the audit tells them, in their order."""
        told = [each for each in await self.running.events() if each.delivery_id == delivery.id]
        return sorted((each for each in told if each.type is Event.ATTEMPTED), key=lambda each: each.time)

    async def count(self, event: Event) -> int:
        """Return how often something has happened, as the audit tells it."""
        return [each.type for each in await self.running.events()].count(event)


@asynccontextmanager
async def staged(
    kind: Kind, directory: Path, clock: ManualClock, *, backend: Backend | None = None, in_flight: int = 64
) -> AsyncIterator[Stage]:
    """Run a provider's simulator, and the channel that uses it with its real adapter."""
    async with kind.open(clock) as peer:
        settings = load(discover.setting_sections(), path=None, environ={}, overrides=kind.settings(peer))
        channel = discover.enabled(settings)[kind.channel].under(settings)
        context = CarrierContext(
            settings=settings,
            clock=clock,
            random=Random(7),
            metrics=Metrics(version="test"),
            templates=Catalogue(default_locale="en"),
        )
        carrier = WatchedCarrier(channel.carrier(context), clock)
        try:
            async with at_work(
                *(directory, clock, carrier),
                channel=kind.channel,
                backend=backend,
                in_flight=in_flight,
                under_way=lambda: carrier.providers[0].under_way,
            ) as running:
                yield Stage(
                    kind=kind, peer=peer, running=running, provider=carrier.providers[0], addresses=channel.addresses
                )
        finally:
            await carrier.aclose()
