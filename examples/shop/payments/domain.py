"""What a payment may become. Pure.

NEW → TAKEN → REFUNDED, or NEW → REFUSED; an order that is cancelled before it is paid is NEW → VOID, and never paid.
"""

from enum import StrEnum

# The doom of a test: an amount that ends in 13 cents is not authorised.
_REFUSED_CENTS = 13
REFUSAL = "card_declined"


class Status(StrEnum):
    """Where a payment stands."""

    NEW = "NEW"
    TAKEN = "TAKEN"
    REFUSED = "REFUSED"
    REFUNDED = "REFUNDED"
    VOID = "VOID"


def on_placed(status: Status, amount_cents: int) -> Status | None:
    """Return what becomes of a payment when its order is placed, None if nothing."""
    if status is not Status.NEW:
        return None
    return Status.REFUSED if amount_cents % 100 == _REFUSED_CENTS else Status.TAKEN


def on_cancelled(status: Status) -> Status | None:
    """Return what becomes of a payment when its order is cancelled, None if nothing."""
    if status is Status.TAKEN:
        return Status.REFUNDED
    return Status.VOID if status is Status.NEW else None
