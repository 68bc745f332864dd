"""Failpoints: named places at which the gateway under test kills itself.

They are wrapped around its parts by the composition root of the tests (`crash_gateway`), and are nowhere in them. A
name is the service, what it was about to do or had just done, and which of the two: `channels.settle.before`.
"""

import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from tocsin.eventlog.embedded.transaction import Transaction
from tocsin.runtime.service import CarrierContext, Channel, Context, Part, Service


class Failpoints:
    """Dies of SIGKILL at the n-th passing of one name, and leaves a file that says so."""

    def __init__(self, name: str, *, passing: int, marker: Path) -> None:
        self._name = name
        self._left = passing
        self._marker = marker

    def at(self, name: str) -> None:
        """Pass a failpoint."""
        if name != self._name:
            return
        self._left -= 1
        if self._left == 0:
            self._marker.write_text(name)
            os.kill(os.getpid(), signal.SIGKILL)


class Around:
    """An object with a failpoint before and after each call of some of its methods that are awaited."""

    def __init__(self, inner: Any, points: Failpoints, prefix: str, *methods: str) -> None:
        self._inner = inner
        self._points = points
        self._prefix = prefix
        self._methods = frozenset(methods)

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._inner, name)
        if name not in self._methods:
            return value

        async def method(*args: Any, **kwargs: Any) -> Any:
            self._points.at(f"{self._prefix}.{name}.before")
            result = await value(*args, **kwargs)
            self._points.at(f"{self._prefix}.{name}.after")
            return result

        return method


class LogAround(Around):
    """A log whose subscriptions have failpoints around their commits, named by their group."""

    @asynccontextmanager
    async def subscribe(self, topics: Any, *, group: str, **callbacks: Any) -> AsyncIterator[Any]:
        """See `EventLog`."""
        async with self._inner.subscribe(topics, group=group, **callbacks) as subscription:
            yield Around(subscription, self._points, group.removeprefix("tocsin."), "commit")


class StoreAround(Around):
    """A store whose writing transactions have failpoints before and after their commit."""

    @asynccontextmanager
    async def write(self) -> AsyncIterator[Any]:
        """See `Store`."""
        async with self._inner.write() as connection:
            yield connection
            self._points.at(f"{self._prefix}.store.before")
        self._points.at(f"{self._prefix}.store.after")


class CarrierAround(Around):
    """A channel's carrier whose providers have failpoints around each call."""

    @property
    def providers(self) -> tuple[Any, ...]:
        """See `Carrier`."""
        return tuple(Around(provider, self._points, self._prefix, "send") for provider in self._inner.providers)


def armed(service: Service, points: Failpoints) -> Service:
    """Return the service, with failpoints around everything that it stands on."""

    def build(context: Context) -> Part:
        name = service.name
        parts: dict[str, Any] = {
            "ledger": Around(context.ledger, points, name, "submit", "claim", "settle"),
            "publisher": Around(context.publisher, points, name, "write"),
            "log": LogAround(context.log, points, name),
            "store": StoreAround(context.store, points, name),
            "channels": {each: _channel(channel, points, name) for each, channel in context.channels.items()},
        }
        return service.build(replace(context, **parts))

    return replace(service, build=build)


def arm_writer(points: Failpoints) -> None:
    """Put failpoints into the log's transaction: `log.append` amid its operations, `log.flush` right before it is
    committed."""
    append, flush = Transaction.append, Transaction.flush

    def appending(*args: Any, **kwargs: Any) -> None:
        append(*args, **kwargs)
        points.at("log.append")

    def flushing(self: Transaction) -> None:
        flush(self)
        if self.appended:
            points.at("log.flush")

    Transaction.append = appending  # type: ignore[method-assign]
    Transaction.flush = flushing  # type: ignore[method-assign]


def _channel(channel: Channel[Any], points: Failpoints, prefix: str) -> Channel[Any]:
    def carrier(context: CarrierContext) -> Any:
        return CarrierAround(channel.carrier(context), points, prefix)

    return replace(channel, carrier=carrier)
