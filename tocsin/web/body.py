"""Request bodies: read up to a bound, decoded strictly, and free of text that a store cannot keep.

Of a key that an object has twice the last one holds, as in most decoders (RFC 8259, section 4, leaves it open);
refusing it would cost more than decoding does.
"""

import json
import re
from collections.abc import AsyncIterator, Iterator
from typing import Any, TypeVar

import msgspec
from starlette.requests import Request

from tocsin.validation import Fault, pointer
from tocsin.web import problems
from tocsin.web.problems import ProblemError

# What a body means does not get clearer below this; recursion of those who read it later stays far from its limits.
MAX_DEPTH = 64
# Eight megabytes of `[]` take seconds to make objects of, and everybody else would wait: the event loop is one.
MAX_CONTAINERS = 500_000

_MAX_FAULTS = 20
_DRAINED = 16 * 1024 * 1024
_CONTAINERS = (dict, list)
_SUSPECT = re.compile(rb"\\u(?:0000|[dD][89a-fA-F])")
_UNKEEPABLE = re.compile("[\0\ud800-\udfff]")
_AT_PATH = re.compile(r"^(?P<what>.*?)(?: - at `(?P<where>.*)`)?$", re.DOTALL)
_STEP = re.compile(r"\.(?P<name>[^.\[]+)|\[(?P<index>\d+)\]|(?P<rest>.)")

T = TypeVar("T")

_decoder = msgspec.json.Decoder()


async def read(request: Request, *, limit: int) -> bytes:
    """Return the body. Raises ProblemError: 413 where it has more than `limit` bytes, 415 where it is compressed."""
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise ProblemError(415, "unsupported", "Send the body as it is, without Content-Encoding.")
    stream = request.stream()
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > limit:
        raise await _too_large(stream, limit, drain=int(declared) <= limit + _DRAINED)
    chunks: list[bytes] = []
    size = 0
    async for chunk in stream:
        size += len(chunk)
        if size > limit:
            raise await _too_large(stream, limit, drain=True)
        chunks.append(chunk)
    return b"".join(chunks)


async def _too_large(stream: AsyncIterator[bytes], limit: int, *, drain: bool) -> ProblemError:
    """Return 413, after the rest of the body where that is not too much.

    A client that is still sending when the connection is closed on it sees a broken connection and not the answer.
    """
    left = _DRAINED if drain else -1
    while left >= 0 and (chunk := await anext(stream, None)) is not None:
        left -= len(chunk)
    return problems.too_large(f"The body may have at most {limit:,} bytes.", close=left < 0)


def decode(raw: bytes) -> Any:
    """Return the JSON value of a body.

    Raises ProblemError: 400 for what is not JSON or deeper than 64 levels; 413 for more than 500,000 objects and
    lists; 422 with pointers for NUL and lone surrogates in text, and 422 for numbers beyond a double.
    """
    containers = raw.count(b"[") + raw.count(b"{")
    if containers > MAX_CONTAINERS:
        raise problems.too_large(f"The body may have at most {MAX_CONTAINERS:,} objects and lists.")
    try:
        value = _decoder.decode(raw)
    except RecursionError:
        raise _too_deep() from None
    except msgspec.ValidationError:
        raise problems.invalid(Fault(pointer="", detail="holds a number that is out of range")) from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise _unreadable(raw) from None
    if containers > MAX_DEPTH and _deeper(value, MAX_DEPTH):
        raise _too_deep()
    if _SUSPECT.search(raw) and (faults := _unkeepable(value)):
        raise problems.invalid(*faults)
    return value


def decode_as(raw: bytes, kind: type[T]) -> T:
    """Return the body as a `kind`, such as a msgspec struct. Raises as `decode` does, and 422 where it does not fit."""
    value = decode(raw)
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise problems.invalid(_misfit(error)) from None


def _too_deep() -> ProblemError:
    return problems.malformed(f"The body is nested deeper than {MAX_DEPTH} levels.")


def _unreadable(raw: bytes) -> ProblemError:
    """Return what to say of bytes that msgspec refused.

    The standard library's decoder is slower, but it knows the place better, and it reads lone surrogates, which are
    JSON by the letter and so get pointers. What else it is too kind to refuse has no place.
    """
    try:
        faults = _unkeepable(json.loads(raw.decode()))
    except UnicodeDecodeError as error:
        return problems.malformed(f"The body is not UTF-8 at byte {error.start}.")
    except json.JSONDecodeError as error:
        what = error.msg[:1].lower() + error.msg[1:].removesuffix(" at")
        return problems.malformed(f"The body is not JSON: {what} at line {error.lineno}, column {error.colno}.")
    except (ValueError, RecursionError):
        faults = []
    return problems.invalid(*faults) if faults else problems.malformed("The body is not JSON as RFC 8259 has it.")


def _below(value: Any) -> Iterator[tuple[str | int, Any]]:
    if isinstance(value, dict):
        yield from value.items()
    elif isinstance(value, list):
        yield from enumerate(value)


def _deeper(value: Any, depth: int) -> bool:
    """Return whether containers are nested deeper than this. Level by level: a bomb must not make this recurse."""
    level = [value] if type(value) in _CONTAINERS else []
    for _ in range(depth):
        inner = (each.values() if type(each) is dict else each for each in level)
        level = [below for each in inner for below in each if type(below) in _CONTAINERS]
        if not level:
            return False
    return True


def _unkeepable(value: Any) -> list[Fault]:
    """Return where text cannot be kept. A key's fault is told of its object, since the key itself cannot be sent."""
    faults: list[Fault] = []
    waiting: list[tuple[tuple[str | int, ...], Any]] = [((), value)]
    while waiting and len(faults) < _MAX_FAULTS:
        path, each = waiting.pop()
        if isinstance(each, str) and _UNKEEPABLE.search(each):
            faults.append(Fault(pointer=pointer(path), detail="holds a NUL or a lone surrogate, which cannot be kept"))
        for name, below in _below(each):
            if isinstance(name, str) and _UNKEEPABLE.search(name):
                faults.append(Fault(pointer=pointer(path), detail="has a key with a NUL or a lone surrogate"))
            else:
                waiting.append(((*path, name), below))
    return sorted(faults, key=lambda fault: fault.pointer)


def _misfit(error: msgspec.ValidationError) -> Fault:
    """Return msgspec's error with its `$.a[0]` as a JSON Pointer, as far as that names the place."""
    found = _AT_PATH.match(str(error))
    where = (found["where"] or "$") if found else "$"
    steps: list[str | int] = []
    for step in _STEP.finditer(where.removeprefix("$")):
        if step["rest"]:
            break
        steps.append(step["name"] or int(step["index"]))
    return Fault(pointer=pointer(steps), detail=found["what"] if found else str(error))
