"""The faults that are always in force: Twilio's own test numbers, and numbers of ours that end in what they do.

Source of the first: https://www.twilio.com/docs/iam/test-credentials#test-sms-messages
"""

from simulators.sms.faults import Fault, Receipt

# What a number gets that ends so: +15005553003 is taken and told to be undelivered for 30003.
_TOLD_LATER = (30003, 30005, 30006, 30007, 30008)


def faults() -> tuple[Fault, ...]:
    """Return the built-in faults."""
    return (
        _refusal("+15005550001", 21211, "The 'To' number is not a valid phone number."),
        _refusal("+15005550002", 21612, "The 'To' phone number is not currently reachable via SMS."),
        _refusal("+15005550003", 21408, "Permission to send an SMS has not been enabled for this region."),
        _refusal("+15005550004", 21610, "Attempt to send to unsubscribed recipient."),
        _refusal("+15005550009", 21614, "The 'To' number is not a valid mobile number."),
        Fault(recipients="+15005550408", drop=True),
        Fault(recipients="+15005550429", status=429, code=20429, text="Too many requests", retry_after_seconds=5),
        Fault(recipients="+15005550503", status=503, text="Service unavailable"),
        *(_undelivered(code) for code in _TOLD_LATER),
    )


def _refusal(number: str, code: int, text: str) -> Fault:
    return Fault(recipients=number, status=400, code=code, text=text)


def _undelivered(code: int) -> Fault:
    receipts = (Receipt(status="sent"), Receipt(status="undelivered", code=code))
    return Fault(recipients=f"+1500555{code - 27000}", receipts=receipts)
