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

    `hold`, while it is set, keeps every call waiting after its claim. `unreachable`, while it is set, is answered
    before the claim, as by a provider to which no connection can be had; `dials` are the times of all calls.
    """

    def __init__(
        self,
        clock: ManualClock,
        script: Script = delivers,
        *,
        name: str = "scripted",
        max_in_flight: int = 1000,
        messages_per_second: float = 0.0,
        weight: float = 0.0,
    ) -> None:
        self.name = name
        self.capabilities = Capabilities(
            max_in_flight=max_in_flight, messages_per_second=messages_per_second, weight=weight
        )
        self.script = script
        self.unreachable: Outcome | None = None
        self.dials: list[datetime] = []
        self.calls: list[Call] = []
        self.hold: asyncio.Event | None = None
        self._clock = clock

    async def send(self, message: Delivery, *, key: str, deadline: float, claim: Claim) -> Outcome:
        """Claim, take note, and answer by the script."""
        del deadline
        self.dials.append(self._clock.now())
        if self.unreachable is not None:
            return self.unreachable
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

    def __init__(self, provider: ScriptedProvider, *others: ScriptedProvider) -> None:
        self.provider = provider
        self._providers = (provider, *others)
        self.refuse: Callable[[Delivery], Rejected | None] = lambda _: None

    @property
    def providers(self) -> Sequence[Provider]:
        """All of them."""
        return self._providers

    def candidates(self, delivery: Delivery) -> Sequence[str]:
        """Return the names of all, in order."""
        del delivery
        return [provider.name for provider in self._providers]

    async def render(self, delivery: Delivery) -> Delivery | Rejected:
        """Return the delivery itself, unless it is to be refused."""
        return self.refuse(delivery) or delivery

    async def aclose(self) -> None:
        """Nothing is open."""
