"""An order on its way: it moves in one unit of work with its history, and with OrderCancelled where it ends early."""

from typing import Any

from loguru import logger
from sqlalchemy import Row, insert, select, update

from examples.shop.kit import facts
from examples.shop.kit.events import Event
from examples.shop.kit.inbox import Result, take_up
from examples.shop.kit.metrics import ShopMetrics
from examples.shop.kit.unit import Unit
from examples.shop.orders import domain
from examples.shop.orders.domain import Move, Status, Stay
from examples.shop.orders.replica import TYPES as CUSTOMERS
from examples.shop.orders.replica import Replica
from examples.shop.orders.tables import history, orders


class Saga:
    """Fulfils `inbox.Reaction`."""

    types = domain.TYPES | CUSTOMERS

    def __init__(self, replica: Replica, metrics: ShopMetrics) -> None:
        self._replica = replica
        self._metrics = metrics

    async def react(self, unit: Unit, event: Event) -> Result:
        """See `inbox.Reaction`."""
        if event.type in CUSTOMERS:
            return await self._replica.take(unit, event)
        row = await locked(unit, event.subject)
        if row is None:
            # The log outlived the database, or is another shop's, too.
            logger.warning("shop_event_of_unknown_order", type=event.type, event=event.id)
            return Result.IGNORED
        found = domain.on_event(Status(row.status), event.type, with_payment=row.with_payment)
        match found:
            case Stay.EARLY:
                return Result.EARLY
            case Stay.IGNORED:
                return Result.IGNORED
            case Stay.NOTED:
                await self._note(unit, row, event, Move(status=Status(row.status)))
            case Move():
                await self._note(unit, row, event, found)
                if found.reason is not None:
                    await _tell_cancelled(unit, row, found.reason)
        return Result.APPLIED

    async def cancel(self, unit: Unit, row: Row[Any], move: Move) -> None:
        """Cancel an order, whose row is locked, because its customer wishes so."""
        await unit.connection.execute(_moved(row, move))
        await noted(unit, row.id, "OrderCancelled", Status.CANCELLED)
        self._count(unit, move)
        if move.reason is not None:
            await _tell_cancelled(unit, row, move.reason)
        await take_up(unit, row.id, self)

    async def _note(self, unit: Unit, row: Row[Any], event: Event, move: Move) -> None:
        money: dict[str, int] = {}
        if event.type == "PaymentConfirmed":
            money = {"paid_cents": event.data["amount_cents"]}
        elif event.type == "PaymentRefunded":
            money = {"refunded_cents": event.data["amount_cents"]}
        await unit.connection.execute(_moved(row, move, **money))
        await noted(unit, row.id, event.type, move.status)
        if move.status != row.status:
            self._count(unit, move)

    def _count(self, unit: Unit, move: Move) -> None:
        unit.after_commit(self._metrics.orders.labels(move.status).inc)


async def locked(unit: Unit, order_id: str) -> Row[Any] | None:
    """Return an order's row, locked until the unit of work ends."""
    query = select(orders).where(orders.c.id == order_id).with_for_update()
    return (await unit.connection.execute(query)).one_or_none()


async def noted(unit: Unit, order_id: str, event: str, status: Status) -> None:
    """Add to an order's history what happened, and where it stands now."""
    row = {"order_id": order_id, "event": event, "status": status, "at_ms": unit.now_ms}
    await unit.connection.execute(insert(history), row)


def _moved(row: Row[Any], move: Move, **money: int) -> Any:
    values = {"status": move.status, "reason": move.reason or row.reason, **money}
    return update(orders).where(orders.c.id == row.id).values(**values)


async def _tell_cancelled(unit: Unit, row: Row[Any], reason: domain.Reason) -> None:
    order = facts.decode(row.facts)
    data = order.data(reason=reason.value, refund_cents=row.paid_cents)
    await unit.emit("OrderCancelled", subject=row.id, data=data)
