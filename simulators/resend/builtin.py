"""The faults that are always in force: an address whose local part names a fault gets it, at any domain.

The words are those of https://resend.com/docs/api-reference/errors
"""

from simulators.mail.faults import Fault


def faults() -> tuple[Fault, ...]:
    """Return the built-in faults."""
    return (
        Fault(
            recipients="throttled@*",
            status=429,
            error="rate_limit_exceeded",
            text="Too many requests. You can only make 2 requests per second.",
            retry_after_seconds=1,
        ),
        _refusal("quota", 429, "daily_quota_exceeded", "You have reached your daily email sending quota."),
        _refusal("rejected", 422, "validation_error", "Invalid `to` field."),
        _refusal("unverified", 403, "validation_error", "The domain is not verified."),
        _refusal("danger", 451, "security_error", "We may have found a security issue with the request."),
        _refusal("failure", 500, "application_error", "An unexpected error occurred."),
        Fault(recipients="drop@*", drop=True),
        Fault(recipients="slow@*", delay_seconds=2),
    )


def _refusal(name: str, status: int, error: str, text: str) -> Fault:
    return Fault(recipients=f"{name}@*", status=status, error=error, text=text)
