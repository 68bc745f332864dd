"""What an HTTP answer means where no code of the provider says it, and what it means that there is none. Pure."""

from datetime import timedelta

from channels.sms.codes import redacted
from tocsin.net.http import NotSent, Unanswered
from tocsin.outcome import Deferred, Misconfigured, Outcome, Rejected, Throttled, Unconfirmed


def not_sent(error: NotSent) -> Outcome:
    """Return what it means that nothing left us."""
    if error.ours:
        return Misconfigured(detail=error.cause, code=error.cause)
    return Deferred(cause=error.cause, code=error.cause)


def unanswered(error: Unanswered) -> Outcome:
    """Return what it means that no whole answer came."""
    return Unconfirmed(phase=error.phase, message="the provider did not answer")


def by_status(status: int, text: str, *, told: str, retry_after: timedelta | None) -> Outcome:
    """Return the conservative class of an answer that no table knows.

    A refusal (4xx) was not taken; what a server that fails (5xx) or answers in a way of its own did is not known.
    """
    message = redacted(text)
    match status:
        case 429:
            return Throttled(scope="account", retry_after=retry_after, code=told, message=message)
        case 401 | 403:
            return Misconfigured(detail="authentication_refused", code=told, message=message)
        case 301 | 302 | 303 | 307 | 308 | 404 | 405 | 410:
            return Misconfigured(detail="wrong_address_of_provider", code=told, message=message)
        case _ if 400 <= status < 500 and status != 408:  # noqa: PLR2004 - RFC 9110, section 15.5; 408: who knows
            return Rejected(reason="unmapped", scope="message", code=told, message=message)
        case _:
            return Unconfirmed(phase="answer", code=told, message=message)
