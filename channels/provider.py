"""The port between the delivery path and a provider, and what a channel brings to carry its messages."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, Protocol, runtime_checkable

import msgspec

from tocsin.delivery import Delivery
from tocsin.outcome import Outcome, Rejected

Claim = Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What the provider is able to do, so that the path above need not guess.

    `max_in_flight` calls are made at once at most, and `messages_per_second` on average unless that is 0. `weight` is
    its share of what others could take as well, compared with theirs; it gets nothing of that with 0, unless none of
    them has a share. `many_hosts`: each message goes to a host that its address names, and one that fails says nothing
    of the others.
    """

    idempotency: bool = False
    receipts: bool = False
    max_in_flight: int = 16
    messages_per_second: float = 0.0
    weight: float = 0.0
    many_hosts: bool = False


class RouteSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the section of every provider has: how much of a channel's traffic goes through it."""

    # On average; 0: no limit.
    messages_per_second: Annotated[float, msgspec.Meta(ge=0, le=1_000_000)] = 0.0
    # The share of what several providers could take. 0 on all of them: the first takes it all.
    weight: Annotated[float, msgspec.Meta(ge=0, le=1_000_000)] = 0.0

    def applied_to(self, capabilities: Capabilities) -> Capabilities:
        """Return what a provider is able to do, within these limits."""
        return replace(capabilities, messages_per_second=self.messages_per_second, weight=self.weight)


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


@runtime_checkable
class Successor(Protocol):
    """A provider that cannot take the place of every other one of its kind."""

    def succeed(self, before: Provider) -> None:
        """Raise SettingsError if what only the one `before` can send would be lost."""


class Carrier(Protocol):
    """A channel at work: it renders deliveries into messages and has the providers that take them."""

    @property
    def providers(self) -> Sequence[Provider]:
        """All its providers."""

    def candidates(self, delivery: Delivery) -> Sequence[str]:
        """Return the names of those that can take this delivery, at least one, the preferred first."""

    async def render(self, delivery: Delivery) -> Any | Rejected:
        """Return the message for this delivery, or why there can be none (scope `message` or `address`).

        Deterministic: the same delivery gives the same message, whichever attempt it is for. A message may have a
        `cost`, a mapping: what the audit is to tell of it with each attempt.
        """

    async def aclose(self) -> None:
        """Close the providers."""
