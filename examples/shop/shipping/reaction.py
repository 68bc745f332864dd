"""What shipping does when it hears of an order: packs it, sends it once, and forgets it if it is cancelled."""

from collections.abc import Callable
from datetime import timedelta

from examples.shop.kit import facts, states
from examples.shop.kit.events import Event
from examples.shop.kit.inbox import Result
from examples.shop.kit.unit import Unit
from examples.shop.shipping.domain import FAILURE, Status, on_cancelled, on_packed
from examples.shop.shipping.tables import shipments
from tocsin.clock import to_ms_up


class Shipping:
    """Fulfils `inbox.Reaction`. `packing` is how long it takes to pack a parcel; without any, it is sent at once.

    `on_packing` is called once there is a parcel to pack.
    """

    types = frozenset({"InventoryUpdated", "OrderCancelled"})

    def __init__(self, packing: timedelta, on_packing: Callable[[], None]) -> None:
        self._packing = packing
        self._on_packing = on_packing

    async def react(self, unit: Unit, event: Event) -> Result:
        """See `inbox.Reaction`."""
        order = facts.of(event)
        fresh = {"status": Status.NEW, "facts": facts.encode(order), "changed_at_ms": unit.now_ms}
        row = await states.locked(unit, shipments, order.order_id, fresh=fresh)
        if event.type == "OrderCancelled":
            return await _cancelled(unit, order, Status(row.status), event.data["reason"])
        if row.status != Status.NEW:
            return Result.IGNORED
        if self._packing:
            await _keep(unit, order, Status.PACKING, due_at_ms=to_ms_up(unit.now + self._packing))
            unit.after_commit(self._on_packing)
        else:
            await send(unit, order)
        return Result.APPLIED


async def send(unit: Unit, order: facts.Facts) -> None:
    """Send the parcel of an order whose row is locked, or fail to."""
    if on_packed(order.customer.name) is Status.FAILED:
        await _keep(unit, order, Status.FAILED, reason=FAILURE, due_at_ms=None)
        await unit.emit("ShippingFailed", subject=order.order_id, data=order.data(reason=FAILURE))
        return
    tracking = unit.new_id("trk")
    await _keep(unit, order, Status.SENT, tracking=tracking, due_at_ms=None)
    await unit.emit("ShippingConfirmed", subject=order.order_id, data=order.data(tracking=tracking))


async def _cancelled(unit: Unit, order: facts.Facts, status: Status, reason: str) -> Result:
    becomes = on_cancelled(status)
    if becomes is None:
        return Result.IGNORED
    await _keep(unit, order, becomes, reason=reason, due_at_ms=None)
    return Result.APPLIED


async def _keep(unit: Unit, order: facts.Facts, status: Status, **values: str | int | None) -> None:
    await states.change(unit, shipments, order.order_id, status=status, changed_at_ms=unit.now_ms, **values)
