"""Counts what a channel does, and watches whether it dies of our own inability."""

from loguru import logger

from channels.halt import Halt
from channels.settle import Attempt
from tocsin import hops, outcome, topics
from tocsin.ledger.port import Settlement
from tocsin.lifecycle import State
from tocsin.observe.metrics import Metrics
from tocsin.outcome import Misconfigured
from tocsin.record import header


class Tally:
    """The counters of one channel."""

    def __init__(self, channel: str, *, metrics: Metrics) -> None:
        self._channel = channel
        self._metrics = metrics
        self._halt = Halt()

    @property
    def halted(self) -> bool:
        """Whether the channel takes nothing more, since too many deliveries died alike."""
        return self._halt.closed

    def attempted(self, attempt: Attempt) -> None:
        """Count a provider call."""
        self._metrics.attempts(self._channel, attempt.provider, outcome.name(attempt.outcome)).inc()
        self._metrics.attempt_seconds(self._channel, attempt.provider).observe(attempt.took.total_seconds())
        if isinstance(attempt.outcome, Misconfigured):
            self._metrics.route_misconfigured(self._channel, attempt.provider).inc()

    def dropped(self) -> None:
        """Count a record that had no business: another one owns its attempt, or its life had ended."""
        self._metrics.forks_dropped(self._channel).inc()

    def settled(self, settlement: Settlement, *, effective: bool) -> None:
        """Count what a settlement wrote."""
        if not effective:
            self.dropped()
        elif settlement.terminal is not None:
            self._ended(settlement, settlement.terminal)
        elif tier := next((tier for record in settlement.records if (tier := topics.tier_of(record.topic))), None):
            if settlement.key is None:
                self._metrics.reparked(self._channel).inc()
            else:
                self._metrics.retries(self._channel, tier.name).inc()

    def _ended(self, settlement: Settlement, state: State) -> None:
        self._metrics.deliveries(self._channel, state).inc()
        reason = _reason(settlement) if state is State.DEAD else None
        if reason is not None:
            self._metrics.dead_letters(self._channel, reason).inc()
        if self._halt.ended(reason):
            self._metrics.channel_halted(self._channel).set(1)
            logger.critical("channel_halted", channel=self._channel, reason=reason)


def _reason(settlement: Settlement) -> str | None:
    """Return why a delivery is dead, as its dead letter tells it."""
    reasons = (header(record.headers, hops.REASON) for record in settlement.records)
    return next((found.decode() for found in reasons if found), None)
