"""What a reservation may become. Pure.

NEW → RESERVED → RELEASED, or NEW → SHORT where there is not enough; an order that is cancelled before its stock was
reserved is NEW → VOID, and nothing is ever reserved for it.
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum

from examples.shop.kit.events import Event
from examples.shop.kit.facts import Item


class Status(StrEnum):
    """Where a reservation stands."""

    NEW = "NEW"
    RESERVED = "RESERVED"
    SHORT = "SHORT"
    RELEASED = "RELEASED"
    VOID = "VOID"


def asks(event: Event) -> bool:
    """Return whether the event has stock reserved: the payment, or in the simple flow the order itself."""
    return event.type == "PaymentConfirmed" or (event.type == "OrderPlaced" and not event.data["with_payment"])


def on_cancelled(status: Status) -> Status | None:
    """Return what becomes of a reservation when its order is cancelled, None if nothing."""
    if status is Status.RESERVED:
        return Status.RELEASED
    return Status.VOID if status is Status.NEW else None


def quantities(items: Sequence[Item]) -> Mapping[str, int]:
    """Return how many of each product, by product: always in this turn, so that no two orders wait for each other."""
    wanted: dict[str, int] = {}
    for item in items:
        wanted[item.product] = wanted.get(item.product, 0) + item.quantity
    return dict(sorted(wanted.items()))
