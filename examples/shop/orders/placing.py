"""Placing an order: everything is looked at first, and then written at once, with its event."""

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import Row, select

from examples.shop.kit import facts, problems
from examples.shop.kit.database import upsert
from examples.shop.kit.facts import Customer, Facts, Item
from examples.shop.kit.metrics import ShopMetrics
from examples.shop.kit.unit import Unit, Units
from examples.shop.orders import replica
from examples.shop.orders.domain import Status
from examples.shop.orders.replica import Replica
from examples.shop.orders.saga import noted
from examples.shop.orders.tables import orders, prices
from examples.shop.orders.wanted import Line, Wanted


class Placing:
    """Places orders, with payment or without."""

    def __init__(self, units: Units, replica: Replica, metrics: ShopMetrics, *, with_payment: bool) -> None:
        self._units = units
        self._replica = replica
        self._metrics = metrics
        self._with_payment = with_payment

    async def place(self, wanted: Wanted) -> Row[Any]:
        """Place an order, once: the same request with the same id finds the order that it placed before.

        Raises ProblemError: 422 where the customer or a product is not known, 409 where another request used the id.
        """
        if wanted.guest is None:
            await self._replica.awaited(wanted.customer_id)
        async with self._units.begin() as unit:
            if wanted.order_id is not None and (placed := await _found(unit, wanted.order_id)) is not None:
                return _same(placed, wanted)
            customer = await _customer(unit, wanted)
            items = await _priced(unit, wanted.lines)
            order = Facts(
                order_id=wanted.order_id or unit.new_id("ord"),
                customer=customer,
                items=items,
                amount_cents=sum(item.quantity * item.unit_price_cents for item in items),
            )
            return await self._placed(unit, order, wanted)

    async def _placed(self, unit: Unit, order: Facts, wanted: Wanted) -> Row[Any]:
        row = {
            "id": order.order_id,
            "fingerprint": wanted.fingerprint,
            "customer_id": order.customer.id,
            "status": Status.PENDING,
            "with_payment": self._with_payment,
            "facts": facts.encode(order),
            "paid_cents": 0,
            "refunded_cents": 0,
            "placed_at_ms": unit.now_ms,
        }
        first = upsert(unit.connection, orders).values(row).on_conflict_do_nothing()
        written = (await unit.connection.execute(first)).rowcount
        placed = await _found(unit, order.order_id)
        if placed is None:
            raise RuntimeError("an order that was written is not there")
        if not written:
            return _same(placed, wanted)  # Another request came first, between our look and our write.
        await noted(unit, order.order_id, "OrderPlaced", Status.PENDING)
        data = order.data(with_payment=self._with_payment)
        await unit.emit("OrderPlaced", subject=order.order_id, data=data)
        unit.after_commit(self._metrics.orders.labels(Status.PENDING).inc)
        return placed


async def _found(unit: Unit, order_id: str) -> Row[Any] | None:
    return (await unit.connection.execute(select(orders).where(orders.c.id == order_id))).one_or_none()


def _same(placed: Row[Any], wanted: Wanted) -> Row[Any]:
    if placed.fingerprint != wanted.fingerprint:
        raise problems.conflict("another order has this id")
    return placed


async def _customer(unit: Unit, wanted: Wanted) -> Customer:
    try:
        known = await replica.found(unit, wanted.customer_id)
    except replica.Left:
        raise problems.invalid({wanted.pointer: "is a customer who has left"}) from None
    if known is None:
        if wanted.guest is None:
            raise problems.invalid({wanted.pointer: "is not a customer of the shop"})
        await replica.welcome(unit, wanted.guest)
        return wanted.guest
    return msgspec.structs.replace(known, email=wanted.email) if wanted.email else known


async def _priced(unit: Unit, lines: Sequence[Line]) -> tuple[Item, ...]:
    """Return the lines with names and prices. A product is known by its id or its name, in any case."""
    listed = (await unit.connection.execute(select(prices).order_by(prices.c.product))).all()
    known = {name.casefold(): row for row in listed for name in (row.name, row.product)}
    sold = ", ".join(row.product for row in listed)
    unknown = {
        line.pointer: f"is not sold here; known: {sold}" for line in lines if line.product.casefold() not in known
    }
    if unknown:
        raise problems.invalid(unknown)
    return tuple(_item(line, known[line.product.casefold()]) for line in lines)


def _item(line: Line, row: Row[Any]) -> Item:
    price = row.price_cents if line.price_cents is None else line.price_cents
    return Item(product=row.product, name=row.name, quantity=line.quantity, unit_price_cents=price)
