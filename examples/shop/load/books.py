"""The books of all services, read from their databases as an auditor would, whatever the services say by HTTP."""

from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import Table, func, select
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from sqlalchemy.pool import NullPool

from examples.shop.inventory.domain import Status as StockStatus
from examples.shop.inventory.tables import movements, reservations, stock
from examples.shop.kit import facts, tables, topics
from examples.shop.kit.database import open_database
from examples.shop.kit.facts import Facts
from examples.shop.kit.settings import ShopSettings
from examples.shop.orders.domain import Status
from examples.shop.orders.tables import orders
from examples.shop.payments.domain import Status as PaymentStatus
from examples.shop.payments.tables import payments

_FILE = "sqlite"


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """An event as the outbox of its service has it."""

    type: str
    subject: str
    data: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """An order as the orders service has it."""

    status: Status
    reason: str | None
    paid_cents: int
    refunded_cents: int
    facts: Facts


@dataclass(frozen=True, slots=True, kw_only=True)
class Books:
    """What all services have written down. Amounts are cents.

    `payments` are status and amount by order, `reservations` statuses by order, `movements` the changes of the stock by
    product and reason. `untold` counts events that the log has not, `early` those that still wait for their step,
    `unreadable` what could not be taken.
    """

    orders: Mapping[str, Order]
    payments: Mapping[str, tuple[str, int]]
    reservations: Mapping[str, str]
    stock: Mapping[str, int]
    movements: Mapping[tuple[str, str], int]
    events: Sequence[Told]
    untold: int
    early: int
    unreadable: int

    @property
    def at_rest(self) -> bool:
        """Whether every order has ended, and everything that has to be made good for it is."""
        gone = {order_id: order for order_id, order in self.orders.items() if order.status == Status.CANCELLED}
        return (
            not self.untold
            and all(order.status in {Status.SHIPPED, Status.CANCELLED} for order in self.orders.values())
            and all(order.refunded_cents == order.paid_cents for order in gone.values())
            and all(self.payments.get(order_id, ("", 0))[0] != PaymentStatus.TAKEN for order_id in gone)
            and all(self.reservations.get(order_id) != StockStatus.RESERVED for order_id in gone)
        )


async def read(settings: ShopSettings) -> Books:
    """Return the books as they are now. Raises DatabaseUnavailable."""
    events: list[Told] = []
    counts: Counter[str] = Counter()
    for service in topics.SERVICES:
        async with _reading(settings.database_url(service)) as connection:
            events += await _events(connection)
            counts.update(await _left(connection))
    async with _reading(settings.database_url("orders")) as connection:
        placed = {row["id"]: _order(row) for row in await _rows(connection, orders)}
    async with _reading(settings.database_url("payments")) as connection:
        paid = {row["order_id"]: (row["status"], row["amount_cents"]) for row in await _rows(connection, payments)}
    async with _reading(settings.database_url("inventory")) as connection:
        reserved = {row["order_id"]: row["status"] for row in await _rows(connection, reservations)}
        there = {row["product"]: row["available"] for row in await _rows(connection, stock)}
        moved: Counter[tuple[str, str]] = Counter()
        for row in await _rows(connection, movements):
            moved[row["product"], row["reason"]] += row["change"]
    return Books(
        orders=placed,
        payments=paid,
        reservations=reserved,
        stock=there,
        movements=moved,
        events=events,
        untold=counts["untold"],
        early=counts["early"],
        unreadable=counts["unreadable"],
    )


@asynccontextmanager
async def _reading(url: str) -> AsyncIterator[AsyncConnection]:
    """Open a database to read. Of a file nothing is locked, as the services themselves would: they are at work."""
    if not url.startswith(_FILE):
        async with open_database(url) as database, database.begin() as connection:
            yield connection
        return
    engine = create_async_engine(url.replace(_FILE, f"{_FILE}+aiosqlite", 1), poolclass=NullPool)
    try:
        async with engine.connect() as connection:
            yield connection
    finally:
        await engine.dispose()


async def _events(connection: AsyncConnection) -> list[Told]:
    rows = await _rows(connection, tables.outbox)
    return [Told(type=row["type"], subject=row["subject"], data=msgspec.json.decode(row["body"])) for row in rows]


async def _left(connection: AsyncConnection) -> Mapping[str, int]:
    """Return how much is left to be told, to be taken up, and for somebody to look at."""
    untold = select(func.count()).select_from(tables.outbox).where(tables.outbox.c.published_at_ms.is_(None))
    early, unreadable = (select(func.count()).select_from(table) for table in (tables.waiting, tables.unreadable))
    return {
        "untold": await connection.scalar(untold) or 0,
        "early": await connection.scalar(early) or 0,
        "unreadable": await connection.scalar(unreadable) or 0,
    }


async def _rows(connection: AsyncConnection, table: Table) -> Sequence[Mapping[str, Any]]:
    return [dict(row) for row in (await connection.execute(select(table))).mappings()]


def _order(row: Mapping[str, Any]) -> Order:
    return Order(
        status=Status(row["status"]),
        reason=row["reason"],
        paid_cents=row["paid_cents"],
        refunded_cents=row["refunded_cents"],
        facts=facts.decode(row["facts"]),
    )
