"""Listing the rows that a service keeps of orders, for whoever looks at one order or at the sums."""

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import Query
from sqlalchemy import Table, select

from examples.shop.kit.database import Database

Limit = Annotated[int, Query(ge=1, le=1000)]
Order = Annotated[str | None, Query(max_length=64, description="Only that of this order")]
After = Annotated[str | None, Query(max_length=64, description="The `next` of the page before")]


async def rows_of(
    database: Database, table: Table, *, order: str | None, limit: int, after: str | None
) -> tuple[list[Mapping[str, Any]], str | None]:
    """Return rows by the order's id, and the `after` of the next page, None on the last."""
    query = select(table).order_by(table.c.order_id).limit(limit)
    if order is not None:
        query = query.where(table.c.order_id == order)
    if after is not None:
        query = query.where(table.c.order_id > after)
    async with database.begin() as connection:
        rows = (await connection.execute(query)).mappings().all()
    return list(map(dict, rows)), rows[-1]["order_id"] if len(rows) == limit else None
