"""Which services a process runs, as the command line names them: `producer`, `channel email`, `dlq`, `audit`."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tocsin.errors import SettingsError

_CHANNEL = "channel"
# The service that delivers; on the command line it goes by the channels that it is to deliver on.
CHANNELS = "channels"


@dataclass(frozen=True, slots=True, kw_only=True)
class Roles:
    """The services of a process, and the channels that it delivers on (None: all)."""

    services: frozenset[str]
    channels: frozenset[str] | None = None


def parse(words: Sequence[str], *, services: Iterable[str], channels: Iterable[str]) -> Roles:
    """Return what the words ask for. Raises SettingsError for what is not installed, with what is."""
    plain, known = sorted(set(services) - {CHANNELS}), sorted(channels)
    there = ", ".join([*plain, *(f"{_CHANNEL} {name}" for name in known)])
    chosen: set[str] = set()
    delivers: set[str] = set()
    rest = iter(words)
    for word in rest:
        if word == _CHANNEL:
            name = next(rest, "")
            if name not in known:
                raise SettingsError(f"there is no channel {name or '(name it)'}; services: {there}")
            chosen.add(CHANNELS)
            delivers.add(name)
        elif word in plain:
            chosen.add(word)
        else:
            raise SettingsError(f"there is no service {word}; services: {there}")
    if not chosen:
        raise SettingsError(f"name at least one service: {there}")
    return Roles(services=frozenset(chosen), channels=frozenset(delivers) if CHANNELS in chosen else None)
