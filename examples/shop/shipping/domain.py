"""What a shipment may become. Pure.

NEW → PACKING → SENT | FAILED. An order that is cancelled before its parcel was sent is VOID, and nothing is ever sent
for it; a parcel that was sent before the cancellation was heard of is RECALLED, and its goods go back on the shelf.
"""

from enum import StrEnum

# The doom of a test: nobody delivers to Nowhere.
_NOWHERE = "nowhere"
FAILURE = "address_not_found"


class Status(StrEnum):
    """Where a shipment stands."""

    NEW = "NEW"
    PACKING = "PACKING"
    SENT = "SENT"
    FAILED = "FAILED"
    VOID = "VOID"
    RECALLED = "RECALLED"


def on_packed(name: str) -> Status:
    """Return what becomes of a parcel to a customer of this name."""
    return Status.FAILED if _NOWHERE in name.casefold() else Status.SENT


def on_cancelled(status: Status) -> Status | None:
    """Return what becomes of a shipment when its order is cancelled, None if nothing."""
    if status in {Status.NEW, Status.PACKING}:
        return Status.VOID
    return Status.RECALLED if status is Status.SENT else None
