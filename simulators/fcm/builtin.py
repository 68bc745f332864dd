"""The faults that are always in force: a device's token that begins with the name of a fault gets it."""

from simulators.fcm.errors import ErrorCode
from simulators.fcm.faults import Fault

_ERRORS: dict[str, ErrorCode] = {
    "unregistered": "UNREGISTERED",
    "invalid": "INVALID_ARGUMENT",
    "mismatch": "SENDER_ID_MISMATCH",
    "third-party": "THIRD_PARTY_AUTH_ERROR",
    "quota": "QUOTA_EXCEEDED",
    "unavailable": "UNAVAILABLE",
    "internal": "INTERNAL",
}


def faults() -> tuple[Fault, ...]:
    """Return the built-in faults."""
    refusals = [Fault(tokens=f"{name}*", error=error) for name, error in _ERRORS.items()]
    return (*refusals, Fault(tokens="slow*", delay_seconds=2))
