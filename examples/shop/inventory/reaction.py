"""What inventory does when it hears of an order: reserves its stock once, and releases it once."""

import msgspec

from examples.shop.inventory import stock
from examples.shop.inventory.domain import Status, asks, on_cancelled, quantities
from examples.shop.inventory.tables import reservations
from examples.shop.kit import facts, states
from examples.shop.kit.events import Event
from examples.shop.kit.inbox import Result
from examples.shop.kit.unit import Unit


class Inventory:
    """Fulfils `inbox.Reaction`."""

    types = frozenset({"OrderPlaced", "PaymentConfirmed", "OrderCancelled"})

    async def react(self, unit: Unit, event: Event) -> Result:
        """See `inbox.Reaction`."""
        if event.type != "OrderCancelled" and not asks(event):
            return Result.IGNORED
        order = facts.of(event)
        fresh = {
            "status": Status.NEW,
            "items": msgspec.json.encode(quantities(order.items)),
            "changed_at_ms": unit.now_ms,
        }
        row = await states.locked(unit, reservations, order.order_id, fresh=fresh)
        if event.type == "OrderCancelled":
            reason: str = event.data["reason"]
            return await _cancelled(unit, order, Status(row.status), row.reservation_id, reason)
        return await _reserve(unit, order) if row.status == Status.NEW else Result.IGNORED


async def _reserve(unit: Unit, order: facts.Facts) -> Result:
    short = await stock.reserve(unit, order.order_id, quantities(order.items))
    if short is not None:
        await _keep(unit, order, Status.SHORT)
        data = order.data(product=short.product, requested=short.requested, available=short.available)
        await unit.emit("InventoryInsufficient", subject=order.order_id, data=data)
        return Result.APPLIED
    reservation_id = unit.new_id("res")
    await _keep(unit, order, Status.RESERVED, reservation_id=reservation_id)
    await unit.emit("InventoryUpdated", subject=order.order_id, data=order.data(reservation_id=reservation_id))
    return Result.APPLIED


async def _cancelled(unit: Unit, order: facts.Facts, status: Status, reservation_id: str | None, reason: str) -> Result:
    becomes = on_cancelled(status)
    if becomes is None:
        return Result.IGNORED
    await _keep(unit, order, becomes)
    if becomes is Status.RELEASED:
        await stock.release(unit, order.order_id, quantities(order.items))
        data = order.data(reservation_id=reservation_id, reason=reason)
        await unit.emit("InventoryReleased", subject=order.order_id, data=data)
    return Result.APPLIED


async def _keep(unit: Unit, order: facts.Facts, status: Status, **values: str) -> None:
    await states.change(unit, reservations, order.order_id, status=status, changed_at_ms=unit.now_ms, **values)
