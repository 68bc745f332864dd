"""Orders over HTTP."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Query
from sqlalchemy import Row, select

from examples.shop.kit import facts, problems
from examples.shop.kit.database import Database
from examples.shop.kit.unit import Units
from examples.shop.orders import domain
from examples.shop.orders.domain import Reason, Status
from examples.shop.orders.forms import Bought, Compatible, Order
from examples.shop.orders.placing import Placing
from examples.shop.orders.saga import Saga, locked
from examples.shop.orders.tables import history, orders
from tocsin.clock import from_ms, rfc3339

_MESSAGE = "Order placed successfully!"
_UNKNOWN = "there is no such order"


class Api:
    """The routes of the orders service."""

    def __init__(self, units: Units, placing: Placing, saga: Saga) -> None:
        self._units = units
        self._placing = placing
        self._saga = saga
        self.router = APIRouter(tags=["orders"])
        self.router.add_api_route("/orders", self._place, methods=["POST"], status_code=201)
        self.router.add_api_route("/orders", self._list, methods=["GET"])
        self.router.add_api_route("/orders/{order_id}", self._get, methods=["GET"])
        self.router.add_api_route("/orders/{order_id}/cancel", self._cancel, methods=["POST"])
        self.router.add_api_route("/api/orders", self._place_compatible, methods=["POST"], status_code=201)
        self.router.add_api_route("/create-order", self._create, methods=["POST"], status_code=201)

    async def _place(self, order: Order) -> dict[str, Any]:
        """Place an order. With an `order_id` of your own, the same request sent again gets the same answer.

        What becomes of it is decided by the data: an amount that ends in .13 (a `trap`) is not paid, a `unicorn` is
        never in stock, and nobody delivers to a customer whose name has "Nowhere" in it.
        """
        return _placed(await self._placing.place(order.wanted()))

    async def _place_compatible(self, order: Compatible) -> dict[str, Any]:
        """Place an order as older systems do: `{customerName, productName, quantity}`, or `{orderId, userId, status}`
        for one book. Customers who are not known are guests."""
        return _told(await self._placing.place(order.wanted()))

    async def _create(self, order: Bought) -> dict[str, Any]:
        """Place an order as older systems do: one item, at the amount given. Customers who are not known are guests."""
        return _told(await self._placing.place(order.wanted()))

    async def _list(
        self,
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
        before: Annotated[int | None, Query(ge=1, le=2**62, description="The `next` of the page before")] = None,
        customer: Annotated[str | None, Query(max_length=64)] = None,
        status: Annotated[Status | None, Query()] = None,
    ) -> dict[str, Any]:
        """List orders, the newest first."""
        query = select(orders).order_by(orders.c.number.desc()).limit(limit)
        if before is not None:
            query = query.where(orders.c.number < before)
        if customer is not None:
            query = query.where(orders.c.customer_id == customer)
        if status is not None:
            query = query.where(orders.c.status == status)
        async with self._units.database.begin() as connection:
            rows = (await connection.execute(query)).all()
        return {"orders": [_shown(row) for row in rows], "next": rows[-1].number if len(rows) == limit else None}

    async def _get(self, order_id: str) -> dict[str, Any]:
        """Return an order with its history."""
        return await _whole(self._units.database, order_id)

    async def _cancel(self, order_id: str) -> dict[str, Any]:
        """Cancel an order that is not shipped yet: what was paid is refunded, what was reserved is released."""
        async with self._units.begin() as unit:
            row = await locked(unit, order_id)
            if row is None:
                raise problems.not_found(_UNKNOWN)
            move = domain.on_cancel(Status(row.status))
            if move is not None:
                await self._saga.cancel(unit, row, move)
            elif row.reason != Reason.CUSTOMER:
                raise problems.conflict(
                    f"the order is {row.status.lower()}" + (f": {row.reason}" if row.reason else "")
                )
        return await _whole(self._units.database, order_id)


async def _whole(database: Database, order_id: str) -> dict[str, Any]:
    past = select(history).where(history.c.order_id == order_id).order_by(history.c.number)
    async with database.begin() as connection:
        row = (await connection.execute(select(orders).where(orders.c.id == order_id))).one_or_none()
        entries = (await connection.execute(past)).all()
    if row is None:
        raise problems.not_found(_UNKNOWN)
    return {**_shown(row), "history": _history(entries)}


def _history(entries: Sequence[Row[Any]]) -> list[Mapping[str, Any]]:
    return [{"event": each.event, "status": each.status, "at": rfc3339(from_ms(each.at_ms))} for each in entries]


def _placed(row: Row[Any]) -> dict[str, Any]:
    """Return an order as it was when it was placed, so that a repeated request gets the same answer."""
    order = facts.decode(row.facts)
    return {
        "id": row.id,
        "status": Status.PENDING,
        "customer_id": row.customer_id,
        "items": msgspec.to_builtins(order.items),
        "amount_cents": order.amount_cents,
        "currency": order.currency,
        "with_payment": row.with_payment,
        "placed_at": rfc3339(from_ms(row.placed_at_ms)),
    }


def _told(row: Row[Any]) -> dict[str, Any]:
    return {"message": _MESSAGE, "id": row.id, "orderId": row.id, "status": Status.PENDING}


def _shown(row: Row[Any]) -> dict[str, Any]:
    order = facts.decode(row.facts)
    return {
        **_placed(row),
        "status": row.status,
        "reason": row.reason,
        "customer": msgspec.to_builtins(order.customer),
        "paid_cents": row.paid_cents,
        "refunded_cents": row.refunded_cents,
    }
