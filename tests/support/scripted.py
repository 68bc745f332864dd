"""A provider that says what it is told, and the channel around it."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from channels.provider import Capabilities, Claim, Provider
from tests.support.clock import ManualClock
from tocsin.delivery import Delivery
from tocsin.outcome import Delivered, Outcome, Rejected

Script = Callable[[Delivery, int], Outcome | BaseException]


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call that the provider got."""

    address: str
    key: str
    at: datetime


def delivers(delivery: Delivery, number: int) -> Outcome:
    """Take everything."""
    del number
    return Delivered(provider_id=f"scripted-{delivery.id}")


class ScriptedProvider:
    """Fulfils `channels.provider.Provider`. `script` is asked with the delivery and how often it was called for it.

    `hold`, while it is set, keeps every call waiting after its claim.
    """

    name = "scripted"
    capabilities = Capabilities()

    def __init__(self, clock: ManualClock, script: Script = delivers) -> None:
        self.script = script
        self.calls: list[Call] = []
        self.hold: asyncio.Event | None = None
        self._clock = clock

    async def send(self, message: Delivery, *, key: str, deadline: float, claim: Claim) -> Outcome:
        """Claim, take note, and answer by the script."""
        del deadline
        await claim()
        self.calls.append(Call(address=message.address, key=key, at=self._clock.now()))
        if self.hold is not None:
            await self.hold.wait()
        answer = self.script(message, self.count(message.address))
        if isinstance(answer, BaseException):
            raise answer
        return answer

    def count(self, address: str) -> int:
        """Return how many calls there were for an address."""
        return sum(call.address == address for call in self.calls)

    async def aclose(self) -> None:
        """Nothing is open."""


class ScriptedCarrier:
    """Fulfils `channels.provider.Carrier`: the message is the delivery."""

    def __init__(self, provider: ScriptedProvider) -> None:
        self.provider = provider
        self.refuse: Callable[[Delivery], Rejected | None] = lambda _: None

    @property
    def providers(self) -> Sequence[Provider]:
        """The one provider."""
        return (self.provider,)

    def candidates(self, delivery: Delivery) -> Sequence[str]:
        """Return the name of the one provider."""
        del delivery
        return (self.provider.name,)

    async def render(self, delivery: Delivery) -> Delivery | Rejected:
        """Return the delivery itself, unless it is to be refused."""
        return self.refuse(delivery) or delivery

    async def aclose(self) -> None:
        """Nothing is open."""
