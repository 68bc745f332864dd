"""Moments and durations, in words for people and from words that people type."""

import re
from datetime import datetime, timedelta

import msgspec

from tocsin.cli.failures import Misused
from tocsin.clock import rfc3339

_UNITS = {"": 1.0, "ms": 0.001, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86_400.0}
_DURATION = re.compile(r"(?P<number>\d{1,9}(?:\.\d{1,3})?) ?(?P<unit>[a-z]*)", re.ASCII)
_SECOND, _MINUTE, _HOUR, _DAY = 1.0, 60.0, 3600.0, 86_400.0


def parse(text: str) -> datetime:
    """Return an RFC 3339 time as the gateway writes it. Raises msgspec.ValidationError."""
    return msgspec.convert(text, datetime)


def duration(text: str, *, option: str) -> timedelta:
    """Return what a person means by `90`, `90s`, `10m`, `24h` or `3d`. Raises Misused, naming the option."""
    found = _DURATION.fullmatch(text.strip().lower())
    if found is None or found["unit"] not in _UNITS:
        raise Misused(f"{option} {text} is not a duration; write it like 90s, 10m, 24h or 3d")
    return timedelta(seconds=float(found["number"]) * _UNITS[found["unit"]])


def moment(text: str, *, now: datetime, option: str) -> str:
    """Return an RFC 3339 time: the one given, or so long ago as a duration says. Raises Misused."""
    try:
        given = msgspec.convert(text.replace(" ", "T", 1), datetime)
    except msgspec.ValidationError:
        try:
            return rfc3339(now - duration(text, option=option))
        except (Misused, OverflowError):
            wanted = "a time like 2026-03-01T12:00:00Z, nor how long ago, like 2h or 3d"
            raise Misused(f"{option} {text} is neither {wanted}") from None
    if given.tzinfo is None:
        raise Misused(f"{option} {text} has no time zone; add Z for UTC, or an offset like +02:00")
    return rfc3339(given)


def span(length: timedelta) -> str:
    """Return a duration in at most two units: `0.4 s`, `12 s`, `3 min 20 s`, `5 h 4 min`, `2 d 3 h`."""
    seconds = max(0.0, length.total_seconds())
    if seconds < 9.95 * _SECOND:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    for unit, word, lower, lower_word in (
        (_DAY, "d", _HOUR, "h"),
        (_HOUR, "h", _MINUTE, "min"),
        (_MINUTE, "min", 1, "s"),
    ):
        if whole >= unit:
            rest = int(whole % unit // lower)
            return f"{int(whole // unit)} {word}" + (f" {rest} {lower_word}" if rest else "")
    return f"{whole} s"


def relative(when: datetime, *, now: datetime) -> str:
    """Return a moment as seen from now: `3 min 20 s ago`, `in 12 s`."""
    if when > now:
        return f"in {span(when - now)}"
    return f"{span(now - when)} ago"
