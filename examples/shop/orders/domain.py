"""How an order goes on, decided by its own state. Pure.

PENDING → PAID → RESERVED → SHIPPED; without payment PENDING → RESERVED → SHIPPED; and CANCELLED from each but the last.
Events come in any order and more than once: what has come already is nothing new, and what has not come yet waits.
"""

from dataclasses import dataclass
from enum import StrEnum


class Status(StrEnum):
    """Where an order stands. SHIPPED and CANCELLED are its ends."""

    PENDING = "PENDING"
    PAID = "PAID"
    RESERVED = "RESERVED"
    SHIPPED = "SHIPPED"
    CANCELLED = "CANCELLED"


class Reason(StrEnum):
    """Why an order was cancelled."""

    PAYMENT = "payment_not_authorized"
    STOCK = "out_of_stock"
    SHIPPING = "shipping_failed"
    CUSTOMER = "cancelled_by_customer"


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """The order goes on to this status, with the reason where it is cancelled."""

    status: Status
    reason: Reason | None = None


class Stay(StrEnum):
    """The order stays as it is: the event is to be noted, means nothing, or came before its step."""

    NOTED = "noted"
    IGNORED = "ignored"
    EARLY = "early"


_WAY = (Status.PENDING, Status.PAID, Status.RESERVED, Status.SHIPPED)
_MOVES = {
    "PaymentConfirmed": Move(status=Status.PAID),
    "PaymentNotAuthorized": Move(status=Status.CANCELLED, reason=Reason.PAYMENT),
    "InventoryUpdated": Move(status=Status.RESERVED),
    "InventoryInsufficient": Move(status=Status.CANCELLED, reason=Reason.STOCK),
    "ShippingConfirmed": Move(status=Status.SHIPPED),
    "ShippingFailed": Move(status=Status.CANCELLED, reason=Reason.SHIPPING),
}
_COMPENSATIONS = frozenset({"PaymentRefunded", "InventoryReleased"})
TYPES = frozenset(_MOVES) | _COMPENSATIONS


def on_event(status: Status, kind: str, *, with_payment: bool) -> Move | Stay:
    """Return what an event of another service does to an order."""
    if status is Status.CANCELLED:
        # What was under way when it was cancelled. The others undo it, each by its own state.
        return Stay.NOTED
    if kind in _COMPENSATIONS:
        return Stay.IGNORED
    here, step = _WAY.index(status), _WAY.index(_before(kind, with_payment=with_payment))
    if here < step:
        return Stay.EARLY
    return _MOVES[kind] if here == step else Stay.IGNORED


def on_cancel(status: Status) -> Move | None:
    """Return what the customer's wish to cancel does, None if it comes too late."""
    return (
        None if status in {Status.SHIPPED, Status.CANCELLED} else Move(status=Status.CANCELLED, reason=Reason.CUSTOMER)
    )


def _before(kind: str, *, with_payment: bool) -> Status:
    """Return where an order stands when this event's step has come."""
    if kind.startswith("Payment"):
        return Status.PENDING
    if kind.startswith("Inventory"):
        return Status.PAID if with_payment else Status.PENDING
    return Status.RESERVED
