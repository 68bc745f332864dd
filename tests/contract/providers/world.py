"""A provider beside its peer: made from settings as the product makes it, over TLS, with a wire that can be cut."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

from channels.changes import RouteChanges
from channels.provider import Carrier, Provider
from channels.rotating import RotatingCarrier
from channels.rotation import Rotatable, Rotation
from channels.routes import Routes
from tests.contract.providers.harness import Authority, Case, Peer
from tests.support.clock import ManualClock
from tests.support.tcp_proxy import TcpProxy, proxying
from tests.unit.channels.test_changes import Publisher
from tocsin import ids
from tocsin.delivery import Delivery, Lane, Person
from tocsin.errors import NotClaimed
from tocsin.observe.metrics import Metrics
from tocsin.outcome import Delivered, Outcome, Rejected
from tocsin.runtime.discover import channels, setting_sections
from tocsin.runtime.service import CarrierContext
from tocsin.settings import secret_files
from tocsin.settings.load import load
from tocsin.settings.secret_files import FileWatch
from tocsin.templates.catalogue import Catalogue

# Whoever writes to a socket of this process is heard before the loop has turned so often.
_TURNS = 50
# By then every provider tries a server again that it could not reach.
_LONG = timedelta(minutes=1)


@dataclass(kw_only=True)
class Claim:
    """A claim that is granted, or not. Notes how many messages had reached the peer when it was awaited."""

    peer: Peer
    granted: bool = True
    sent: list[int] = field(default_factory=list)

    async def __call__(self) -> None:
        for _ in range(_TURNS):
            await asyncio.sleep(0)
        self.sent.append(len(self.peer.sent))
        if not self.granted:
            raise NotClaimed


@dataclass(kw_only=True)
class World:
    """What a test has to do with."""

    case: Case
    peer: Peer
    wire: TcpProxy
    authority: Authority
    secret: Path
    clock: ManualClock
    metrics: Metrics
    carrier: RotatingCarrier
    rotation: Rotation
    port: int

    @property
    def provider(self) -> Provider:
        """The provider of the case, as routes have it."""
        return next(each for each in self.carrier.providers if each.name == self.case.name)

    def claim(self, *, granted: bool = True) -> Claim:
        """Return a claim for one call."""
        return Claim(peer=self.peer, granted=granted)

    async def message(self) -> Any:
        """Return a message that can be sent."""
        now = self.clock.now()
        notification = ids.notification_id(now, bytes)
        address = self.case.address(self.port)
        rendered = await self.carrier.render(
            Delivery(
                id=ids.delivery_id(notification, self.case.channel, address),
                notification_id=notification,
                tenant="default",
                channel=self.case.channel,
                address=address,
                recipient=Person(id="cust-42"),
                lane=Lane.NORMAL,
                category="orders",
                semantics="at_least_once",
                accepted_at=now,
                expires_at=now + timedelta(days=1),
                content=dict(self.case.content),
            )
        )
        assert not isinstance(rendered, Rejected), rendered
        return rendered

    async def send(self, claim: Callable[[], Awaitable[None]] | None = None, *, seconds: float = 30) -> Outcome:
        """Make one call."""
        message = await self.message()
        deadline = asyncio.get_running_loop().time() + seconds
        return await self.provider.send(message, key="dlv_1:0", deadline=deadline, claim=claim or self.claim())

    def rest(self) -> None:
        """Let time pass, so that the provider tries again what it could not reach."""
        self.clock.advance(_LONG)

    async def works(self) -> None:
        """Send a message that the peer takes: once, and with the peer's answer to this one."""
        claim, before = self.claim(), len(self.peer.sent)
        outcome = await self.send(claim)
        number = len(self.peer.sent)

        assert isinstance(outcome, Delivered), outcome
        assert outcome.provider_id == self.case.taken(number)
        assert (claim.sent, number) == ([before], before + 1)


@asynccontextmanager
async def opened(case: Case, folder: Path, authority: Authority) -> AsyncIterator[World]:
    """Run a provider and its peer until the block is left. The environment has to have the CA trusted."""
    secret = folder / "secret"
    secret.write_text(case.secrets()[0])
    clock, metrics = ManualClock(), Metrics(version="test")
    async with case.serving(authority.context) as peer:
        connect = partial(asyncio.open_connection, "127.0.0.1", peer.port)
        async with proxying(connect) as (wire, port):
            settings = load(setting_sections(), path=None, environ={}, overrides=case.settings(port, secret))
            channel = channels()[case.channel]
            context = CarrierContext(
                settings=settings,
                clock=clock,
                random=Random(1),
                metrics=metrics,
                templates=Catalogue(default_locale="en"),
            )
            watch = FileWatch(secret_files.named(settings, channel.settings))
            make: Callable[[], Carrier] = partial(channel.carrier, context)
            carrier = RotatingCarrier(make())
            changes = RouteChanges(publisher=Publisher(), clock=clock, metrics=metrics)
            routes = Routes(carrier.providers, clock=clock, random=Random(1).random, on_change=lambda _n, _c: None)
            rotation = Rotation(clock=clock, changes=changes, metrics=metrics)
            rotation.watch(case.channel, Rotatable(watch=watch, make=make, carrier=carrier, routes=routes))
            try:
                yield World(
                    case=case,
                    peer=peer,
                    wire=wire,
                    authority=authority,
                    secret=secret,
                    clock=clock,
                    metrics=metrics,
                    carrier=carrier,
                    rotation=rotation,
                    port=port,
                )
            finally:
                await carrier.aclose()
