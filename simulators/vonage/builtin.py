"""The faults that are always in force: numbers of ours that end in what they do.

+15005552007 is refused with status 7; +15005554009 is taken, and its receipt fails with err-code 9.
"""

from simulators.sms.faults import Fault, Receipt

_STATUSES = {
    1: "Throttled",
    2: "Missing parameters",
    3: "Invalid parameters",
    4: "Invalid credentials",
    5: "Internal error",
    6: "Invalid message",
    7: "Number barred",
    8: "Partner account barred",
    9: "Partner quota violation",
    12: "Message too long",
    15: "Invalid sender address",
    29: "Non-whitelisted destination",
    33: "Number de-activated",
}
_ERR_CODES = (1, 2, 3, 4, 6, 9, 99)


def faults() -> tuple[Fault, ...]:
    """Return the built-in faults."""
    return (
        *(Fault(recipients=f"+15005552{code:03}", code=code, text=text) for code, text in _STATUSES.items()),
        *(_failed(code) for code in _ERR_CODES),
        Fault(recipients="+15005550408", drop=True),
        Fault(recipients="+15005550429", status=429, text="Too many requests", retry_after_seconds=5),
        Fault(recipients="+15005550503", status=503, text="Service unavailable"),
    )


def _failed(code: int) -> Fault:
    return Fault(recipients=f"+15005554{code:03}", receipts=(Receipt(status="failed", code=code),))
