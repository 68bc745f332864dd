"""Lists of dead letters: what a person filters by, newest first, a page at a time."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

import msgspec
from sqlalchemy import ColumnElement, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from dlq.items import FACTS, Item, State, dead_letters, of_row
from tocsin.clock import from_ms, to_ms


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """What to list; None leaves a field open. Deaths count from `since` on, and before `until`."""

    channel: str | None = None
    reason: str | None = None
    code: str | None = None
    state: State | None = None
    since: datetime | None = None
    until: datetime | None = None
    notification_id: str | None = None


class Position(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """The last letter of a page: the next page begins below it. Letters that come meanwhile shift nothing.

    It comes back from clients, so it says what it can be.
    """

    died_at_ms: Annotated[int, msgspec.Meta(ge=-(2**53), le=2**53)]
    letter_id: Annotated[str, msgspec.Meta(pattern="^[a-z0-9_]{1,64}$")]


async def page(
    connection: AsyncConnection, wanted: Filter, *, tenant: str, below: Position | None, limit: int
) -> Sequence[Item]:
    """Return up to `limit` letters that this tenant's operators may see, newest first."""
    columns = dead_letters.c
    conditions = [columns.visible_to == tenant, *_conditions(wanted)]
    if below is not None:
        conditions.append(tuple_(columns.died_at, columns.id) < (below.died_at_ms, below.letter_id))
    query = select(*FACTS).where(*conditions).order_by(columns.died_at.desc(), columns.id.desc()).limit(limit)
    return [of_row(row) for row in (await connection.execute(query)).mappings()]


def position(item: Item) -> Position:
    """Return where the page ends whose last letter this is."""
    return Position(died_at_ms=to_ms(item.died_at), letter_id=item.id)


def _conditions(wanted: Filter) -> Iterator[ColumnElement[bool]]:
    columns = dead_letters.c
    for name in ("channel", "reason", "code", "state", "notification_id"):
        value = getattr(wanted, name)
        if value is not None:
            yield columns[name] == value
    if wanted.since is not None:
        yield columns.died_at >= _ceil_ms(wanted.since)
    if wanted.until is not None:
        yield columns.died_at < _ceil_ms(wanted.until)


def _ceil_ms(moment: datetime) -> int:
    """Return the first whole millisecond that is not before the moment."""
    milliseconds = to_ms(moment)
    return milliseconds + (from_ms(milliseconds) < moment)
