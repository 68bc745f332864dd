"""Outcome → what happens next. Pure: the clock's time and the jitter's random number are arguments.

Attempt n is followed by tier min(n, last). A `Retry-After` can only lengthen the wait. `expires_at` always wins: a
retry that would come after it is no retry.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from tocsin import outcome as outcomes
from tocsin import tiers
from tocsin.deadletter import Reason
from tocsin.delivery import Semantics
from tocsin.hops import Hop
from tocsin.outcome import Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """How often and how long. `jitter` is the largest fraction of a tier's delay that is added at random
    (15 s at most)."""

    max_attempts: int = 8
    jitter: float = 0.05
    max_retry_after: timedelta = timedelta(hours=24)
    max_unconfirmed: int = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """The life ended well."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Again:
    """Another attempt, not before `not_before`."""

    not_before: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Expired:
    """The next attempt would come too late."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dead:
    """No further attempt: a dead letter."""

    reason: Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class NoAttempt:
    """Our settings were at fault: the call does not count, and the delivery waits for them to be mended."""

    not_before: datetime


Decision = Done | Again | Expired | Dead | NoAttempt

# Enough to spread what failed together. More would set the order in which a long tier comes due far apart from the
# order in which it lies in the log, and only so much of a tier is held in memory.
_MAX_JITTER = timedelta(seconds=15)

# How long a delivery waits before it looks again at a route that is misconfigured. It grows, and is longer than the
# pause between a route's probes: a delivery that is itself what the provider dislikes must not be every probe.
_MISCONFIGURED_WAIT = timedelta(seconds=45)
_MOST_DOUBLED = 3


def decide(
    outcome: Outcome, *, hop: Hop, semantics: Semantics, now: datetime, policy: RetryPolicy, random: float
) -> Decision:
    """Return what follows from the outcome of attempt `hop.attempt` + 1. `random` is in [0, 1)."""
    match outcome:
        case outcomes.Delivered():
            return Done()
        case outcomes.Rejected():
            return Dead(reason=Reason.REJECTED)
        case outcomes.Misconfigured():
            due = now + _MISCONFIGURED_WAIT * 2 ** min(hop.hops, _MOST_DOUBLED)
            return NoAttempt(not_before=due) if due < hop.expires_at else Expired()
        case outcomes.Unconfirmed():
            if semantics == "at_most_once" or hop.unconfirmed + 1 >= policy.max_unconfirmed:
                return Dead(reason=Reason.OUTCOME_UNKNOWN)
            return _again(hop, None, now=now, policy=policy, random=random)
        case outcomes.Deferred() | outcomes.Throttled():
            return _again(hop, outcome.retry_after, now=now, policy=policy, random=random)


def _again(
    hop: Hop, retry_after: timedelta | None, *, now: datetime, policy: RetryPolicy, random: float
) -> Again | Expired | Dead:
    attempt = hop.attempt + 1
    if now >= hop.expires_at:
        return Expired()
    if attempt >= policy.max_attempts:
        return Dead(reason=Reason.EXHAUSTED)
    if retry_after is not None and retry_after > policy.max_retry_after:
        return Dead(reason=Reason.RETRY_AFTER_TOO_LONG)
    delay = tiers.of_attempt(attempt).delay
    jitter = min(delay * policy.jitter, _MAX_JITTER) * random
    wait = max(delay + jitter, retry_after or timedelta())
    due = now + wait
    return Again(not_before=due) if due < hop.expires_at else Expired()
