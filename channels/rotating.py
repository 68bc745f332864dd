"""A carrier that another one may take the place of while messages are sent: the same channel with other secrets."""

from collections.abc import Collection, Sequence
from typing import Any

from channels.provider import Capabilities, Carrier, Claim, Provider, Successor
from tocsin.delivery import Delivery
from tocsin.errors import SettingsError
from tocsin.outcome import Outcome, Rejected


class _Line:
    """A provider, and how many calls are under way through it."""

    __slots__ = ("calls", "provider")

    def __init__(self, provider: Provider) -> None:
        self.provider = provider
        self.calls = 0


class RotatingProvider:
    """Implements `channels.provider.Provider` by whichever provider stands behind the route's name."""

    def __init__(self, provider: Provider) -> None:
        self.name = provider.name
        self.line = _Line(provider)

    @property
    def capabilities(self) -> Capabilities:
        """What the provider is able to do."""
        return self.line.provider.capabilities

    async def send(self, message: Any, *, key: str, deadline: float, claim: Claim) -> Outcome:
        """Make one call, to its end through the provider that stood here when it began."""
        line = self.line
        line.calls += 1
        try:
            return await line.provider.send(message, key=key, deadline=deadline, claim=claim)
        finally:
            line.calls -= 1

    async def aclose(self) -> None:
        """The carrier closes it."""


class RotatingCarrier:
    """Implements `channels.provider.Carrier` by whichever carrier was given last.

    A provider whose place was taken finishes what is under way, and is closed by the next `close_retired`.
    """

    def __init__(self, carrier: Carrier) -> None:
        self._carrier = carrier
        self._providers = tuple(RotatingProvider(each) for each in carrier.providers)
        self._retired: list[_Line] = []

    @property
    def providers(self) -> Sequence[Provider]:
        """All its providers. They stay the same, whatever carrier comes."""
        return self._providers

    def candidates(self, delivery: Delivery) -> Sequence[str]:
        """See `Carrier`."""
        return self._carrier.candidates(delivery)

    async def render(self, delivery: Delivery) -> Any | Rejected:
        """See `Carrier`."""
        return await self._carrier.render(delivery)

    def exchange(self, carrier: Carrier, names: Collection[str]) -> None:
        """Have this carrier render from now on, and those of its providers send that are named.

        It has the same providers as the one before; the others of them are not used. Raises SettingsError, and changes
        nothing, if one of them cannot succeed the one before.
        """
        fresh = {each.name: _Line(each) for each in carrier.providers}
        try:
            for each in self._providers:
                if each.name in names:
                    _check(fresh[each.name].provider, each.line.provider)
        except SettingsError:
            self._retired += fresh.values()
            raise
        self._carrier = carrier
        for each in self._providers:
            line = fresh[each.name]
            if each.name in names:
                each.line, line = line, each.line
            self._retired.append(line)

    async def close_retired(self) -> None:
        """Close those whose place was taken and which nothing goes through any more."""
        idle = [line for line in self._retired if not line.calls]
        self._retired = [line for line in self._retired if line.calls]
        for line in idle:
            await line.provider.aclose()

    async def aclose(self) -> None:
        """Close all of them."""
        closing, self._retired = [*self._retired, *(each.line for each in self._providers)], []
        for line in closing:
            await line.provider.aclose()


def _check(fresh: Provider, before: Provider) -> None:
    if isinstance(fresh, Successor):
        fresh.succeed(before)
