"""Hop headers: all that changes while a delivery travels. Text, replaced and never appended, checked on every read.

The body of a record never changes; what an attempt learns goes here. Times are milliseconds since 1970.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from tocsin.clock import from_ms, to_ms, to_ms_up
from tocsin.record import Headers, Source

_PREFIX = "tocsin-"
LIFE = "tocsin-life"
ATTEMPT = "tocsin-attempt"
NOT_BEFORE = "tocsin-not-before"
FIRST_AT = "tocsin-first-at"
EXPIRES_AT = "tocsin-expires-at"
ORIGIN = "tocsin-origin"
HOPS = "tocsin-hops"
UNCONFIRMED = "tocsin-unconfirmed"
FAULTS = "tocsin-handler-faults"
ERROR_CLASS = "tocsin-error-class"
ERROR_CODE = "tocsin-error-code"
ERROR_MESSAGE = "tocsin-error-message"
PROVIDER = "tocsin-provider"
REASON = "tocsin-reason"
HISTORY = "tocsin-history"

_NAMES = frozenset(
    {LIFE, ATTEMPT, NOT_BEFORE, FIRST_AT, EXPIRES_AT, ORIGIN, HOPS, UNCONFIRMED, FAULTS}
    | {ERROR_CLASS, ERROR_CODE, ERROR_MESSAGE, PROVIDER, REASON, HISTORY}
)

_MAX_TEXT = 512
# Enough for milliseconds until the year 9999 and for any offset of a log; more is no number that we ever wrote.
_MAX_DIGITS = 15
_MAX_HISTORY = 32


class BrokenHop(ValueError):
    """A hop header is missing or not what it must be. The message names the header, never its value."""


class Attempted(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One attempt, as the history header carries it to the dead letter."""

    attempt: int
    at: datetime
    outcome: str
    provider: str
    code: str = ""
    message: str = ""


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """Why the last attempt failed: `kind` is the outcome's word. The message is redacted by the adapter."""

    kind: str
    code: str = ""
    message: str = ""
    provider: str = ""


class Hop(msgspec.Struct, frozen=True, kw_only=True):
    """Where a delivery stands. `attempt` counts the attempts already made in this life, `hops` the records written."""

    life: int
    attempt: int
    first_at: datetime
    expires_at: datetime
    not_before: datetime | None = None
    origin: Source | None = None
    hops: int = 0
    unconfirmed: int = 0
    handler_faults: int = 0
    failure: Failure | None = None
    reason: str | None = None
    history: tuple[Attempted, ...] = ()


def first(*, now: datetime, expires_at: datetime, life: int = 0) -> Hop:
    """Return the hop of a life that begins now."""
    return Hop(life=life, attempt=0, first_at=now, expires_at=expires_at)


def onward(hop: Hop, *, source: Source, **changes: Any) -> Hop:
    """Return the hop of the next record: one hop more, with the origin that the first one had."""
    return msgspec.structs.replace(hop, hops=hop.hops + 1, origin=hop.origin or source, **changes)


def remembered(hop: Hop, attempted: Attempted) -> tuple[Attempted, ...]:
    """Return the history with one attempt more; the oldest go where there are too many for a header."""
    return (*hop.history, attempted)[-_MAX_HISTORY:]


def write(headers: Headers, hop: Hop) -> Headers:
    """Return the headers with this hop's in place of any other's."""
    values = {
        LIFE: _number(hop.life),
        ATTEMPT: _number(hop.attempt),
        FIRST_AT: _number(to_ms(hop.first_at)),
        EXPIRES_AT: _number(to_ms(hop.expires_at)),
        HOPS: _number(hop.hops),
    }
    values |= _later(hop)
    kept = tuple(pair for pair in headers if pair[0] not in _NAMES)
    return kept + tuple(values.items())


def _later(hop: Hop) -> dict[str, bytes]:
    """Return what a hop has only after the first record."""
    values = {}
    if hop.not_before is not None:
        values[NOT_BEFORE] = _number(to_ms_up(hop.not_before))
    if hop.origin is not None:
        values[ORIGIN] = "/".join(map(str, hop.origin)).encode()
    if hop.unconfirmed:
        values[UNCONFIRMED] = _number(hop.unconfirmed)
    if hop.handler_faults:
        values[FAULTS] = _number(hop.handler_faults)
    if (failure := hop.failure) is not None:
        values[ERROR_CLASS] = text_value(failure.kind)
        values[ERROR_CODE] = text_value(failure.code)
        values[ERROR_MESSAGE] = text_value(failure.message)
        values[PROVIDER] = text_value(failure.provider)
    if hop.reason is not None:
        values[REASON] = text_value(hop.reason)
    if hop.history:
        values[HISTORY] = _json(hop.history)
    return values


def read(headers: Headers) -> Hop:
    """Return the hop that the headers tell. Raises BrokenHop for a missing, repeated or malformed one."""
    found = _own(headers)
    kind = found.get(ERROR_CLASS)
    return Hop(
        life=_int(found, LIFE),
        attempt=_int(found, ATTEMPT),
        first_at=_moment(found, FIRST_AT),
        expires_at=_moment(found, EXPIRES_AT),
        not_before=_moment(found, NOT_BEFORE) if NOT_BEFORE in found else None,
        origin=origin(found[ORIGIN]) if ORIGIN in found else None,
        hops=_int(found, HOPS),
        unconfirmed=_int(found, UNCONFIRMED) if UNCONFIRMED in found else 0,
        handler_faults=_int(found, FAULTS) if FAULTS in found else 0,
        failure=_failure(found, kind) if kind is not None else None,
        reason=found.get(REASON),
        history=_history(found[HISTORY]) if HISTORY in found else (),
    )


def without(headers: Headers) -> Headers:
    """Return the headers without any that is a hop's, or has a name that only a hop may give."""
    return tuple(pair for pair in headers if not pair[0].startswith(_PREFIX))


def life(headers: Headers) -> int | None:
    """Return the life that the headers tell, None if they do not: also where another hop header is broken."""
    values = [value for name, value in headers if name == LIFE]
    if len(values) != 1 or not _is_number(text := values[0].decode(errors="replace")):
        return None
    return int(text)


def _own(headers: Headers) -> dict[str, str]:
    own = [pair for pair in headers if pair[0].startswith(_PREFIX)]
    try:
        found = {name: value.decode() for name, value in own}
    except UnicodeDecodeError:
        raise BrokenHop(f"header {_not_utf8(own)} is not UTF-8") from None
    if len(found) != len(own):
        raise BrokenHop(f"header {_twice(own)} is there twice")
    return found


def _not_utf8(headers: Sequence[tuple[str, bytes]]) -> str:
    return next(name for name, value in headers if value != value.decode(errors="replace").encode())


def _twice(headers: Sequence[tuple[str, bytes]]) -> str:
    names = [name for name, _ in headers]
    return next(name for name in names if names.count(name) > 1)


def _int(found: Mapping[str, str], name: str) -> int:
    text = found.get(name)
    if text is None:
        raise BrokenHop(f"header {name} is missing")
    if not _is_number(text):
        raise BrokenHop(f"header {name} is not a whole number")
    return int(text)


def _moment(found: Mapping[str, str], name: str) -> datetime:
    try:
        return from_ms(_int(found, name))
    except OverflowError:
        raise BrokenHop(f"header {name} is not a time") from None


def origin(text: str) -> Source:
    """Return the place that an origin header names. Raises BrokenHop."""
    topic, _, rest = text.partition("/")
    partition, _, offset = rest.partition("/")
    if not (topic and topic.isascii() and _is_number(partition) and _is_number(offset)):
        raise BrokenHop(f"header {ORIGIN} is not topic/partition/offset")
    return Source(topic, int(partition), int(offset))


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS


def _failure(found: Mapping[str, str], kind: str) -> Failure:
    return Failure(
        kind=kind,
        code=found.get(ERROR_CODE, ""),
        message=found.get(ERROR_MESSAGE, ""),
        provider=found.get(PROVIDER, ""),
    )


_history_decoder = msgspec.json.Decoder(tuple[Attempted, ...])


def _history(text: str) -> tuple[Attempted, ...]:
    try:
        return _history_decoder.decode(text)
    except (msgspec.MsgspecError, RecursionError):
        raise BrokenHop(f"header {HISTORY} is not a list of attempts") from None


def _number(value: int) -> bytes:
    return b"%d" % value


def text_value(value: str) -> bytes:
    """Return text as a header's value: UTF-8, at most 512 bytes, cut between characters."""
    return value.encode(errors="replace")[:_MAX_TEXT].decode(errors="ignore").encode()


def _json(history: tuple[Attempted, ...]) -> bytes:
    try:
        return msgspec.json.encode(history)
    except UnicodeEncodeError:
        # Half a surrogate pair in a provider's text: what is told of an attempt must not stop the delivery.
        return msgspec.json.encode([_utf8(attempted) for attempted in history])


def _utf8(attempted: Attempted) -> Attempted:
    code, message = (text.encode(errors="replace").decode() for text in (attempted.code, attempted.message))
    return msgspec.structs.replace(attempted, code=code, message=message)
