"""Fields of a log line, made plain: redacted, bounded, and of types that any sink can write.

A field whose name says that it holds an address, a content or a secret is masked whole. A value that is neither
text, number, time nor a collection of those is told by its type only, since its `repr` could hold anything.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from enum import Enum
from pathlib import PurePath
from typing import Any
from uuid import UUID

from tocsin.observe.redaction import MASK, text

_MAX_VALUES = 200
_MAX_DEPTH = 6

_SECRET = re.compile(
    r"passw|passphrase|pwd|secret|token|authorization|cookie|credential|api_?key|private_?key|signature|dsn",
    re.IGNORECASE,
)
_PERSONAL = re.compile(
    r"(?:^|[_.\-])(?:address(?:es)?|e?mails?|phone(?:_number)?|mobile|msisdn|recipients?|to|cc|bcc|reply_to|endpoint"
    r"|subject|body|text|html|contents?|payload|data)$",
    re.IGNORECASE,
)


def redacted(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return named values as they may be written. Never raises: a log line must not fail its caller."""
    room = iter(range(_MAX_VALUES))
    return {text(str(name)): _field(str(name), value, _MAX_DEPTH, room) for name, value in values.items()}


def _field(name: str, value: Any, depth: int, room: Iterator[int]) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if _PERSONAL.search(name) or (_SECRET.search(name) and not isinstance(value, int | float)):
        return MASK
    return _value(name, value, depth, room)


def _value(name: str, value: Any, depth: int, room: Iterator[int]) -> Any:
    if next(room, None) is None:
        return "…"
    if isinstance(value, Enum):
        value = value.value
    match value:
        case None | bool() | int() | float():
            return value
        case str():
            return text(value)
        case Mapping() if depth:
            return {text(str(key)): _field(str(key), below, depth - 1, room) for key, below in value.items()}
        case list() | tuple() | set() | frozenset() if depth:
            return [_field(name, below, depth - 1, room) for below in value]
    return _told(value)


def _told(value: Any) -> str:
    try:
        match value:
            case date() | timedelta() | UUID() | PurePath():
                return text(str(value))
            case BaseException():
                return text(f"{type(value).__name__}: {value}")
            case bytes() | bytearray() | memoryview():
                return f"<{len(value)} bytes>"
    except Exception:  # noqa: BLE001 -- an exception of somebody else's may fail in its __str__
        return f"<{type(value).__name__}>"
    return f"<{type(value).__name__}>"
