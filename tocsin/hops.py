"""Hop headers: all that changes while a delivery travels. Text, replaced and never appended, checked on every read.

The body of a record never changes; what an attempt learns goes here. Times are milliseconds since 1970.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import msgspec

from tocsin.clock import from_ms, to_ms, to_ms_up
from tocsin.record import Headers, Source, replaced

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why the last attempt failed: `kind` is the outcome's word. The message is redacted by the adapter."""

    kind: str
    code: str = ""
    message: str = ""
    provider: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hop:
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
    return replace(hop, hops=hop.hops + 1, origin=hop.origin or source, **changes)


def remembered(hop: Hop, attempted: Attempted) -> tuple[Attempted, ...]:
    """Return the history with one attempt more; the oldest go where there are too many for a header."""
    return (*hop.history, attempted)[-_MAX_HISTORY:]


def write(headers: Headers, hop: Hop) -> Headers:
    """Return the headers with this hop's in place of any other's."""
    failure = hop.failure
    values: dict[str, bytes | None] = {
        LIFE: _number(hop.life),
        ATTEMPT: _number(hop.attempt),
        FIRST_AT: _number(to_ms(hop.first_at)),
        EXPIRES_AT: _number(to_ms(hop.expires_at)),
        HOPS: _number(hop.hops),
        NOT_BEFORE: _number(to_ms_up(hop.not_before)) if hop.not_before else None,
        ORIGIN: "/".join(map(str, hop.origin)).encode() if hop.origin else None,
        UNCONFIRMED: _number(hop.unconfirmed) if hop.unconfirmed else None,
        FAULTS: _number(hop.handler_faults) if hop.handler_faults else None,
        ERROR_CLASS: text_value(failure.kind) if failure else None,
        ERROR_CODE: text_value(failure.code) if failure else None,
        ERROR_MESSAGE: text_value(failure.message) if failure else None,
        PROVIDER: text_value(failure.provider) if failure else None,
        REASON: text_value(hop.reason) if hop.reason else None,
        HISTORY: _json(hop.history) if hop.history else None,
    }
    return replaced(headers, values)


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


def life(headers: Headers) -> int | None:
    """Return the life that the headers tell, None if they do not: also where another hop header is broken."""
    values = [value for name, value in headers if name == LIFE]
    if len(values) != 1 or not _is_number(text := values[0].decode(errors="replace")):
        return None
    return int(text)


def _own(headers: Headers) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in headers:
        if not name.startswith("tocsin-"):
            continue
        if name in found:
            raise BrokenHop(f"header {name} is there twice")
        try:
            found[name] = value.decode()
        except UnicodeDecodeError:
            raise BrokenHop(f"header {name} is not UTF-8") from None
    return found


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
