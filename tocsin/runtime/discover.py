"""Finds what is installed: services, channels and simulators, by their entry points."""

from importlib.metadata import entry_points
from typing import Any, TypeVar

import msgspec

from tocsin.errors import SettingsError
from tocsin.runtime.service import Channel, Service, Simulator
from tocsin.settings import sections
from tocsin.settings.values import Settings

T = TypeVar("T", Service, Channel[Any], Simulator)

# The order in which services start, and in which they are told to stop: those that take work in go first.
_ORDER = ("producer", "channels", "dlq", "audit")


def services() -> list[Service]:
    """Return the installed services, those that take work in first."""
    found = _found("tocsin.services", Service)
    return sorted(found, key=lambda service: _ORDER.index(service.name) if service.name in _ORDER else len(_ORDER))


def channels() -> dict[str, Channel[Any]]:
    """Return the installed channels by name."""
    return {channel.name: channel for channel in _found("tocsin.channels", Channel)}


def enabled(settings: Settings) -> dict[str, Channel[Any]]:
    """Return the channels that the settings make use of."""
    return {name: channel for name, channel in channels().items() if channel.enabled(settings)}


def simulators() -> list[Simulator]:
    """Return the installed simulators."""
    return _found("tocsin.simulators", Simulator)


def setting_sections() -> dict[str, type[msgspec.Struct]]:
    """Return every section that the settings may have: the core's, the services' and the channels'."""
    found = sections.core()
    for service in services():
        found.update(service.settings)
    for channel in channels().values():
        found.update(channel.settings)
    return found


def _found(group: str, kind: type[T]) -> list[T]:
    found = []
    for entry in sorted(entry_points(group=group), key=lambda entry: entry.name):
        value = entry.load()
        if not isinstance(value, kind):
            raise SettingsError(f"the entry point {entry.name} of {group} is not a {kind.__name__}")
        found.append(value)
    return found
