"""The contracts of what plugs in: a service, a channel, a simulator. Each is found by its entry point."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from random import Random
from typing import Any, Generic, Protocol, TypeVar

import msgspec
from fastapi import APIRouter
from sqlalchemy import MetaData

from tocsin.clock import Clock
from tocsin.consume.loop import Loop
from tocsin.eventlog.port import EventLog, Publisher
from tocsin.ledger.port import Ledger
from tocsin.observe.metrics import Metrics
from tocsin.runtime.trial import OpenTrial
from tocsin.runtime.wakeups import Wakeups
from tocsin.settings.values import Settings
from tocsin.store.engine import Store
from tocsin.store.template_versions import TemplateVersions
from tocsin.templates.catalogue import Catalogue
from tocsin.validation import Fault
from tocsin.web.auth import Authenticator
from tocsin.web.health import Check

CarrierT = TypeVar("CarrierT")
# A recipient → its normalised addresses, at least one, or what is wrong with them (a pointer below `/recipient`).
Addresses = Callable[[Mapping[str, Any]], Sequence[str] | Fault]
# A tenant and the id of a recipient → what stands for them as the channel's property of `recipient`; empty if nothing.
Lookup = Callable[[str, str], Awaitable[Sequence[Mapping[str, Any]]]]
LOOPBACK = "127.0.0.1"


def _always(_settings: Settings) -> bool:
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class CarrierContext:
    """What a channel's carrier is made from. A carrier that is measured alone has no `store`, and keeps nothing."""

    settings: Settings
    clock: Clock
    random: Random
    metrics: Metrics
    templates: Catalogue
    store: Store | None = None
    wakeups: Wakeups = field(default_factory=Wakeups)


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel(Generic[CarrierT]):
    """A channel, as the producer and the worker see it. A new channel is one folder and one entry point.

    `fragments` returns the JSON Schemas of what it adds to a notification: `{"recipient": {property: schema},
    "content": schema}`. `addresses` returns the normalised addresses of a recipient, at least one, or what is wrong
    with them (a pointer below `/recipient`). `template_part` is a file that a template must have for this channel.

    `settings` are its sections by name: its own, and one for each of its providers. A channel that the settings do not
    make `enabled` has no topics, takes no notifications and delivers nothing. `part` is what the channel adds where
    notifications are taken in: routes, such as the callbacks of its providers, and loops.

    `addresses_for` is for a channel whose addresses depend on the settings, which then takes the place of `addresses`.
    `lookup` finds what is registered for a recipient who comes without the property named as the channel; it may raise
    StoreUnavailable. `tables` are those that the channel owns in the store.
    """

    name: str
    settings: Mapping[str, type[msgspec.Struct]]
    fragments: Callable[[], Mapping[str, Any]]
    template_part: str
    addresses: Addresses
    carrier: Callable[[CarrierContext], CarrierT]
    enabled: Callable[[Settings], bool] = _always
    part: "Callable[[Context], Part] | None" = None
    addresses_for: Callable[[Settings], Addresses] | None = None
    lookup: "Callable[[Context], Lookup] | None" = None
    tables: MetaData | None = None

    def under(self, settings: Settings) -> "Channel[CarrierT]":
        """Return the channel with `addresses` as the settings have them. Raises SettingsError."""
        return self if self.addresses_for is None else replace(self, addresses=self.addresses_for(settings))


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What a service is made from: everything that the wiring opened.

    `channels` are those that are enabled; `delivers` has the names of those that this process delivers on.
    """

    settings: Settings
    clock: Clock
    random: Random
    randbytes: Callable[[int], bytes]
    log: EventLog
    publisher: Publisher
    ledger: Ledger
    store: Store
    metrics: Metrics
    templates: Catalogue
    template_versions: TemplateVersions
    channels: Mapping[str, Channel[Any]]
    delivers: frozenset[str]
    audit_retention: timedelta
    authenticator: Authenticator
    wakeups: Wakeups = field(default_factory=Wakeups)


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A service at work. Loops are stopped in the order given when the gateway drains, then `aclose` is awaited."""

    router: APIRouter | None = None
    loops: Sequence[Loop] = ()
    checks: Mapping[str, Callable[[], Check]] = field(default_factory=dict)
    aclose: Callable[[], Awaitable[None]] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """A service. `settings` are its sections by name; `tables` are the tables that it owns in the store.

    `trial` is of the one that has the rules.
    """

    name: str
    settings: Mapping[str, type[msgspec.Struct]]
    build: Callable[[Context], Part]
    tables: MetaData | None = None
    trial: OpenTrial | None = None


class OpenSimulator(Protocol):
    """Starts a simulator, on loopback unless another address is given."""

    def __call__(self, clock: Clock, *, host: str = LOOPBACK) -> AbstractAsyncContextManager[APIRouter]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulator:
    """A provider double. `overrides` are the settings with which a demo uses it.

    `open` starts it and yields the router of its control, which the host mounts under `/<name>`. `shows` says in the
    plural what its page lists.
    """

    name: str
    overrides: Mapping[str, Mapping[str, Any]]
    open: OpenSimulator
    shows: str = "messages"
