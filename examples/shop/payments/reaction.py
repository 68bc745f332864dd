"""What payments does when it hears of an order: takes the money once, and gives it back once."""

from examples.shop.kit import facts, states
from examples.shop.kit.events import Event
from examples.shop.kit.inbox import Result
from examples.shop.kit.unit import Unit
from examples.shop.payments.domain import REFUSAL, Status, on_cancelled, on_placed
from examples.shop.payments.tables import payments


class Payments:
    """Fulfils `inbox.Reaction`."""

    types = frozenset({"OrderPlaced", "OrderCancelled"})

    async def react(self, unit: Unit, event: Event) -> Result:
        """See `inbox.Reaction`."""
        if not event.data.get("with_payment", True):
            return Result.IGNORED  # In the simple flow there is nothing to pay.
        order = facts.of(event)
        fresh = {
            "status": Status.NEW,
            "amount_cents": order.amount_cents,
            "currency": order.currency,
            "changed_at_ms": unit.now_ms,
        }
        row = await states.locked(unit, payments, order.order_id, fresh=fresh)
        if event.type == "OrderCancelled":
            reason: str = event.data["reason"]
            return await _cancelled(unit, order, Status(row.status), row.payment_id, reason)
        return await _placed(unit, order, Status(row.status))


async def _placed(unit: Unit, order: facts.Facts, status: Status) -> Result:
    becomes = on_placed(status, order.amount_cents)
    if becomes is None:
        return Result.IGNORED
    if becomes is Status.REFUSED:
        await _keep(unit, order, becomes, reason=REFUSAL)
        await unit.emit("PaymentNotAuthorized", subject=order.order_id, data=order.data(reason=REFUSAL))
        return Result.APPLIED
    payment_id = unit.new_id("pay")
    await _keep(unit, order, becomes, payment_id=payment_id)
    await unit.emit("PaymentConfirmed", subject=order.order_id, data=order.data(payment_id=payment_id))
    return Result.APPLIED


async def _cancelled(unit: Unit, order: facts.Facts, status: Status, payment_id: str | None, reason: str) -> Result:
    becomes = on_cancelled(status)
    if becomes is None:
        return Result.IGNORED
    await _keep(unit, order, becomes, reason=reason)
    if becomes is Status.REFUNDED:
        data = order.data(payment_id=payment_id, reason=reason)
        await unit.emit("PaymentRefunded", subject=order.order_id, data=data)
    return Result.APPLIED


async def _keep(unit: Unit, order: facts.Facts, status: Status, **values: str) -> None:
    await states.change(unit, payments, order.order_id, status=status, changed_at_ms=unit.now_ms, **values)
