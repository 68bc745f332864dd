"""Ids: a prefix, when it was made, and randomness; so they sort by time, and tell how old what they name is."""

from collections.abc import Callable
from datetime import datetime
from uuid import UUID

from tocsin.clock import from_ms, to_ms

_TIME = 11
_RANDOM = 10
_HEX = frozenset("0123456789abcdef")


def new(prefix: str, *, now: datetime, randbytes: Callable[[int], bytes]) -> str:
    """Return a new id, such as `ord_18c8d3f4a00` + 20 more hexadecimal digits."""
    return f"{prefix}_{to_ms(now):0{_TIME}x}{randbytes(_RANDOM).hex()}"


def made_at(identifier: str) -> datetime | None:
    """Return when an id was made, None if it is not one of ours."""
    body = identifier.rpartition("_")[2]
    if len(body) != _TIME + 2 * _RANDOM or not _HEX.issuperset(body):
        return None
    return from_ms(int(body[:_TIME], 16))


def event_id(randbytes: Callable[[int], bytes]) -> str:
    """Return a random UUID (RFC 9562, version 4)."""
    return str(UUID(bytes=randbytes(16), version=4))
