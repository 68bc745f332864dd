"""The faults that are always in force: an address whose local part names a fault gets it, at any domain.

The words are those of https://docs.aws.amazon.com/ses/latest/dg/troubleshoot-error-messages.html
"""

from simulators.mail.faults import Fault


def faults() -> tuple[Fault, ...]:
    """Return the built-in faults."""
    return (
        _refusal("throttled", 429, "TooManyRequestsException", "Maximum sending rate exceeded."),
        _refusal("quota", 429, "TooManyRequestsException", "Daily message quota exceeded."),
        _refusal("rejected", 400, "MessageRejected", "Email rejected due to its contents."),
        _refusal("unverified", 400, "MessageRejected", "Email address is not verified."),
        _refusal("paused", 400, "SendingPausedException", "Sending paused for this account."),
        _refusal("unavailable", 503, "ServiceUnavailable", "Service unavailable"),
        _refusal("failure", 500, "InternalFailure", "An internal failure occurred."),
        Fault(recipients="drop@*", drop=True),
        Fault(recipients="slow@*", delay_seconds=2),
    )


def _refusal(name: str, status: int, error: str, text: str) -> Fault:
    return Fault(recipients=f"{name}@*", status=status, error=error, text=text)
