"""The row that a service keeps of an order: made when the order is first heard of, and locked before it is looked at.

So whatever comes first finds a row, and two copies that hear of the same order take turns.
"""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Row, Table, select, update

from examples.shop.kit.database import upsert
from examples.shop.kit.unit import Unit


async def locked(unit: Unit, table: Table, order_id: str, *, fresh: Mapping[str, Any]) -> Row[Any]:
    """Return the row of an order, locked until the unit of work ends; `fresh` is what it is if nobody knew of it."""
    made = upsert(unit.connection, table).on_conflict_do_nothing()
    await unit.connection.execute(made.values(order_id=order_id, **fresh))
    query = select(table).where(table.c.order_id == order_id).with_for_update()
    return (await unit.connection.execute(query)).one()


async def change(unit: Unit, table: Table, order_id: str, **values: Any) -> None:
    """Change the row of an order that is locked."""
    await unit.connection.execute(update(table).where(table.c.order_id == order_id).values(**values))
