"""The port between the delivery path and a provider, and what a channel brings to carry its messages."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from tocsin.delivery import Delivery
from tocsin.outcome import Outcome, Rejected

Claim = Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What the provider is able to do, so that the path above need not guess.

    `max_in_flight` calls are made at once at most, and `messages_per_second` on average where there is such a limit.
    `many_hosts`: each message goes to a host that its address names, and one that fails says nothing of the others.
    """

    idempotency: bool = False
    receipts: bool = False
    max_in_flight: int = 16
    messages_per_second: float | None = None
    many_hosts: bool = False


class Provider(Protocol):
    """One account at one provider. Made once, used by many attempts at a time."""

    @property
    def name(self) -> str:
        """The route's name in metrics, audit events and headers."""

    @property
    def capabilities(self) -> Capabilities:
        """What the provider is able to do."""

    async def send(self, message: Any, *, key: str, deadline: float, claim: Claim) -> Outcome:
        """Make one call and say what it came to.

        `message` is what the channel's `render` returned. `key` is stable for a (delivery, life): the provider's
        idempotency key where it has one. `deadline` is a time of `loop.time()`; past it the answer is `Unconfirmed`
        if bytes of the message may have left, else `Deferred`.

        Awaits `claim()` exactly once, with the connection held, before the first byte of the message leaves.
        `NotClaimed` raised by it passes through, with the connection still fit for use; any other exception that
        leaves `send` is a bug. When cancelled, it discards the connection.
        """

    async def aclose(self) -> None:
        """Close the connections. Called once, when no `send` runs."""


class Carrier(Protocol):
    """A channel at work: it renders deliveries into messages and has the providers that take them."""

    @property
    def providers(self) -> Sequence[Provider]:
        """All its providers."""

    def candidates(self, delivery: Delivery) -> Sequence[str]:
        """Return the names of those that can take this delivery, at least one, the preferred first."""

    async def render(self, delivery: Delivery) -> Any | Rejected:
        """Return the message for this delivery, or why there can be none (scope `message` or `address`).

        Deterministic: the same delivery gives the same message, whichever attempt it is for.
        """

    async def aclose(self) -> None:
        """Close the providers."""


@runtime_checkable
class Weighted(Protocol):
    """What a carrier is besides, if its deliveries are shared out among its providers rather than go to the first."""

    @property
    def weights(self) -> Mapping[str, float]:
        """The share of each provider, by name, above 0; they are compared with each other only."""
