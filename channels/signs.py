"""What an outcome says of the route that it came through, apart from what it says of the message. Pure.

`claimed` is whether the provider awaited the claim in this call: if it did not, nothing of the message has left.
"""

from datetime import timedelta
from enum import Enum, auto

from tocsin.outcome import Deferred, Misconfigured, Outcome, Rejected, Throttled, Unconfirmed

# Words for a dialogue that began and broke; every other kind of broken connection ends before the claim.
_BROKEN = frozenset({"broken_dialogue", "connection_lost", "deadline"})
_TIMEOUT = "timeout"
_SERVER_ERROR = "5"
_OF_ROUTE = frozenset({"account", "sender", "connection"})
_DOMAIN = "domain"


class Sign(Enum):
    """How a provider did in one call."""

    WORKS = auto()
    FAILS = auto()
    MISCONFIGURED = auto()


def of(outcome: Outcome, *, claimed: bool) -> Sign:
    """Return how the provider did. A refusal with a reason is an answer: it works."""
    match outcome:
        case Misconfigured():
            return Sign.MISCONFIGURED
        case Unconfirmed():
            return Sign.FAILS
        case Deferred(cause=cause, code=code):
            broken = not claimed or cause in _BROKEN or cause.endswith(_TIMEOUT)
            return Sign.FAILS if broken or code.startswith(_SERVER_ERROR) else Sign.WORKS
        case _:
            return Sign.WORKS


def congested(outcome: Outcome) -> bool:
    """Return whether the provider had too much to do."""
    match outcome:
        case Throttled(scope=scope):
            return scope in _OF_ROUTE
        case Deferred(cause=cause):
            return cause == "deadline" or cause.endswith(_TIMEOUT)
        case _:
            return isinstance(outcome, Unconfirmed)


def asks_to_wait(outcome: Outcome) -> timedelta | None:
    """Return how long the provider wants nothing of this account (see `of_domain`), None if it did not say."""
    if isinstance(outcome, Throttled) and (outcome.scope in _OF_ROUTE or outcome.scope == _DOMAIN):
        return outcome.retry_after
    return None


def of_domain(outcome: Outcome) -> bool:
    """Return whether it throttles the recipient's domain only."""
    return isinstance(outcome, Throttled) and outcome.scope == _DOMAIN


def fails_over(outcome: Outcome, *, claimed: bool) -> bool:
    """Return whether another provider may be tried with the same claim: the message has surely not been taken, and
    this provider is why."""
    match outcome:
        case Misconfigured():
            return True
        case Throttled(scope=scope):
            return scope in _OF_ROUTE
        case Rejected(scope=scope):
            return scope == "route"
        case Deferred():
            return not claimed
        case _:
            return False
