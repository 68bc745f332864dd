"""The waiting rooms: retry topics with one fixed delay each, and how any delay is put together from them.

A record waits in a tier at most the tier's delay plus jitter. A longer delay takes the largest tier that fits and is
parked again for the remainder, so that five topics serve every delay and nobody waits behind another.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

# Up to this much past its tier's delay a record waits on where it lies: jitter is at most 5 % of the tier, and a
# remainder below a second is not worth another write.
_SLACK_FRACTION = 0.05
_SLACK = timedelta(seconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tier:
    """A retry topic's delay. `name` is the topic's last part."""

    name: str
    delay: timedelta


TIERS = (
    Tier(name="5s", delay=timedelta(seconds=5)),
    Tier(name="30s", delay=timedelta(seconds=30)),
    Tier(name="2m", delay=timedelta(minutes=2)),
    Tier(name="10m", delay=timedelta(minutes=10)),
    Tier(name="1h", delay=timedelta(hours=1)),
)


def of_attempt(attempt: int) -> Tier:
    """Return the tier that follows a failed attempt (1, 2, …): the attempt's own, or the last."""
    return TIERS[min(attempt, len(TIERS)) - 1]


def fitting(wait: timedelta) -> Tier:
    """Return the largest tier whose delay is within `wait`; the first for anything shorter."""
    return next((tier for tier in reversed(TIERS) if tier.delay <= wait), TIERS[0])


def release_at(tier: Tier, *, parked_at: datetime, not_before: datetime) -> datetime:
    """Return when a record leaves the tier: when it is due, or when the tier has done its part of a longer wait."""
    stays_until = parked_at + tier.delay
    if not_before <= stays_until + tier.delay * _SLACK_FRACTION + _SLACK:
        return not_before
    return stays_until
