"""Pages of a list: how many, and from where on. A cursor is opaque to clients: the position of the last item seen."""

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import Annotated, Any, TypeVar

import msgspec
from fastapi import Query

from tocsin.validation import Fault
from tocsin.web import problems

DEFAULT_LIMIT = 50
_MAX_LIMIT = 200
_MAX_CURSOR = 1024

Limit = Annotated[int, Query(ge=1, le=_MAX_LIMIT, description="How many items to return at most.")]
Cursor = Annotated[str | None, Query(max_length=_MAX_CURSOR, description="`next_cursor` of the page before.")]

T = TypeVar("T")


def write(position: Any) -> str:
    """Return a position (a tuple of plain values, or a struct) as a cursor."""
    return base64.urlsafe_b64encode(msgspec.msgpack.encode(position)).rstrip(b"=").decode()


def read(cursor: str, kind: type[T]) -> T:
    """Return the position in a cursor. Raises ProblemError 422 at `/cursor` if it was not made for such a list."""
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        return msgspec.msgpack.decode(raw, type=kind)
    except (binascii.Error, ValueError, RecursionError):  # msgspec's errors and Unicode's are ValueErrors
        detail = "is not a cursor of this list; begin again without one"
        raise problems.invalid(Fault(pointer="/cursor", detail=detail)) from None


def page(found: Sequence[T], *, limit: int, position: Callable[[T], Any]) -> tuple[Sequence[T], str | None]:
    """Return the items of a page and the next page's cursor, None on the last one.

    `found` is what a query for `limit + 1` items gave: one too many says that there is another page.
    """
    items = found[:limit]
    return items, write(position(items[-1])) if len(found) > limit else None
