"""The stock: taken in one statement that looks and takes, so that it is never negative and never sold twice."""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import insert, select, update

from examples.shop.inventory.tables import movements, stock
from examples.shop.kit.unit import Unit


@dataclass(frozen=True, slots=True, kw_only=True)
class Short:
    """The first product of which there is not enough."""

    product: str
    requested: int
    available: int


class _NotEnough(Exception):
    """Ends the savepoint in which stock was being taken."""

    def __init__(self, product: str, requested: int) -> None:
        super().__init__(product)
        self.product = product
        self.requested = requested


async def reserve(unit: Unit, order_id: str, wanted: Mapping[str, int]) -> Short | None:
    """Take all that is wanted, or nothing and return why. `wanted` is how many by product, sorted by product."""
    try:
        async with unit.connection.begin_nested():
            for product, quantity in wanted.items():
                await _take(unit, order_id, product, quantity)
    except _NotEnough as error:
        available = await unit.connection.scalar(select(stock.c.available).where(stock.c.product == error.product))
        return Short(product=error.product, requested=error.requested, available=available or 0)
    return None


async def release(unit: Unit, order_id: str, taken: Mapping[str, int]) -> None:
    """Put back what was taken for an order."""
    for product, quantity in taken.items():
        back = update(stock).where(stock.c.product == product).values(available=stock.c.available + quantity)
        await unit.connection.execute(back)
        await _note(unit, product, quantity, reason="released", order_id=order_id)


async def count(unit: Unit, product: str, available: int) -> bool:
    """Set how many there are of a product; return whether there is such a product."""
    query = select(stock.c.available).where(stock.c.product == product).with_for_update()
    before = await unit.connection.scalar(query)
    if before is None:
        return False
    await unit.connection.execute(update(stock).where(stock.c.product == product).values(available=available))
    await _note(unit, product, available - before, reason="counted", order_id=None)
    return True


async def _take(unit: Unit, order_id: str, product: str, quantity: int) -> None:
    enough = (
        update(stock)
        .where(stock.c.product == product, stock.c.available >= quantity)
        .values(available=stock.c.available - quantity)
    )
    if not (await unit.connection.execute(enough)).rowcount:
        raise _NotEnough(product, quantity)
    await _note(unit, product, -quantity, reason="reserved", order_id=order_id)


async def _note(unit: Unit, product: str, change: int, *, reason: str, order_id: str | None) -> None:
    row = {"product": product, "change": change, "reason": reason, "order_id": order_id, "at_ms": unit.now_ms}
    await unit.connection.execute(insert(movements), row)
