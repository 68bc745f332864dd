"""Lists of suppressed addresses: what a person filters by, newest first, a page at a time."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

import msgspec
from sqlalchemy import select, tuple_

from tocsin.clock import to_ms
from tocsin.store.engine import Store
from tocsin.store.suppressions import Reason, Suppression, holding, of_addresses, of_row
from tocsin.store.tables import suppressions


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """What to list; None leaves a field open. `address_ids` are those that an address may have, one a channel."""

    channel: str | None = None
    reason: Reason | None = None
    category: str | None = None
    address_ids: Sequence[str] | None = None


class Position(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """The last row of a page: the next page begins below it. It comes back from clients, so it says what it can be."""

    added_at_ms: Annotated[int, msgspec.Meta(ge=-(2**53), le=2**53)]
    suppression_id: Annotated[str, msgspec.Meta(pattern="^[a-z0-9_]{1,64}$")]


async def page(
    store: Store, wanted: Filter, *, tenant: str, now: datetime, below: Position | None, limit: int
) -> Sequence[Suppression]:
    """Return up to `limit` of a tenant's addresses that are suppressed now. Raises StoreUnavailable."""
    columns = suppressions.c
    conditions = [columns.tenant == tenant, *holding(now)]
    if wanted.channel is not None:
        conditions.append(columns.channel == wanted.channel)
    if wanted.reason is not None:
        conditions.append(columns.reason == wanted.reason)
    if wanted.category is not None:
        conditions.append(columns.category == wanted.category)
    if wanted.address_ids is not None:
        conditions.append(of_addresses(wanted.address_ids))
    if below is not None:
        conditions.append(tuple_(columns.added_at, columns.id) < (below.added_at_ms, below.suppression_id))
    query = select(suppressions).where(*conditions).order_by(columns.added_at.desc(), columns.id.desc()).limit(limit)
    async with store.read() as connection:
        return [of_row(row) for row in await connection.execute(query)]


def position(suppression: Suppression) -> Position:
    """Return where the page ends whose last row this is."""
    return Position(added_at_ms=to_ms(suppression.added_at), suppression_id=suppression.id)
