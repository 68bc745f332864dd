"""One record, from the log to its settlement: read, look whether it is time, render, claim, send, decide.

The claim comes last, with the provider's connection held: what is claimed is about to be sent.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from loguru import logger

from channels import settle
from channels.provider import Carrier, Provider
from channels.reading import Readable, Reader, Unreadable
from channels.settle import Attempt
from channels.tally import Tally
from tocsin import hops, retry, tiers, topics
from tocsin import outcome as outcomes
from tocsin.clock import Clock
from tocsin.deadletter import Reason
from tocsin.delivery import TemplateRef
from tocsin.errors import NotClaimed
from tocsin.hops import Failure
from tocsin.ledger.port import AttemptKey, Granted, Ledger, Settlement
from tocsin.outcome import Outcome
from tocsin.record import Received, Source
from tocsin.retry import RetryPolicy

# Takeovers of one attempt's claim after which the process is taken to die of it.
_CRASH_LOOP = 3
# How long a provider may overrun the deadline that it was given before it is cut off.
_GRACE_SECONDS = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptConfig:
    """How attempts of one channel are made."""

    channel: str
    policy: RetryPolicy
    deadline: timedelta


class _Claim:
    """The claim of one attempt, as the provider awaits it; remembers what came of it."""

    def __init__(
        self, ledger: Ledger, key: AttemptKey, source: Source, *, at_most_once: bool, claimed: set[Source]
    ) -> None:
        self._claimed = claimed
        self._ledger = ledger
        self._key = key
        self._source = source
        self._at_most_once = at_most_once
        self.granted: Granted | None = None
        self.giving_up: Reason | None = None

    async def __call__(self) -> None:
        answer = await self._ledger.claim(self._key, self._source, durable=self._at_most_once)
        if not isinstance(answer, Granted):
            raise NotClaimed
        self.granted = answer
        self._claimed.add(self._source)
        if answer.takeovers and self._at_most_once:
            self.giving_up = Reason.OUTCOME_UNKNOWN
        elif answer.takeovers >= _CRASH_LOOP:
            self.giving_up = Reason.CRASH_LOOP
        if self.giving_up is not None:
            raise NotClaimed


class Attempts:
    """Makes the attempts of one channel. Fulfils `consume.worker.Handler`."""

    def __init__(
        self,
        config: AttemptConfig,
        *,
        reader: Reader,
        carrier: Carrier,
        ledger: Ledger,
        clock: Clock,
        random: Callable[[], float],
        tally: Tally,
        fetch_template: Callable[[TemplateRef], Awaitable[None]],
    ) -> None:
        self._config = config
        self._reader = reader
        self._carrier = carrier
        self._providers = {provider.name: provider for provider in carrier.providers}
        self._ledger = ledger
        self._clock = clock
        self._random = random
        self._tally = tally
        self._fetch_template = fetch_template
        # What was claimed and is not settled yet: if our code fails now, bytes may have left.
        self._claimed: set[Source] = set()

    def due(self, received: Received) -> datetime | None:
        """Return until when a record of a retry topic stays where it is."""
        tier = topics.tier_of(received.topic)
        if tier is None:
            return None
        try:
            not_before = hops.read(received.headers).not_before
        except hops.BrokenHop:
            return None
        if not_before is None:
            return None
        return tiers.release_at(tier, parked_at=received.timestamp, not_before=not_before)

    async def handle(self, received: Received) -> Settlement | None:
        """Make the attempt that the record asks for, if it is time for one."""
        found = self._reader.read(received)
        now = self._clock.now()
        if isinstance(found, Unreadable):
            return settle.unreadable(received, self._config.channel, found, now)
        if now >= found.hop.expires_at:
            return settle.expired(received, found, now)
        if found.hop.not_before is not None and found.hop.not_before > now:
            return settle.parked(received, found, found.hop.not_before, now)
        if found.delivery.template is not None:
            await self._fetch_template(found.delivery.template)
        message = await self._carrier.render(found.delivery)
        if isinstance(message, outcomes.Rejected):
            failure = Failure(kind=outcomes.name(message), code=message.reason, message=message.message)
            return settle.given_up(received, found, failure, Reason.REJECTED, now=now, claimed=False)
        return await self._send(received, found, message)

    def on_bug(self, received: Received, error: BaseException) -> Settlement:
        """A bug is tried once more, then it is a dead letter. After the claim it has left an unknown outcome."""
        found = self._reader.read(received)
        now = self._clock.now()
        if isinstance(found, Unreadable):
            return settle.unreadable(received, self._config.channel, found, now)
        failure = _bug_failure(error)
        if received.source in self._claimed:
            outcome = outcomes.Unconfirmed(phase="handler_error", code=failure.code, message=failure.message)
            provider = self._carrier.candidates(found.delivery)[0]
            attempt = Attempt(provider=provider, ended_at=now, took=timedelta(), outcome=outcome, bug=True)
            return settle.attempted(received, found, attempt, self._decide(found, attempt))
        if found.hop.handler_faults:
            return settle.given_up(received, found, failure, Reason.HANDLER_ERROR, now=now, claimed=False)
        due = now + tiers.TIERS[0].delay
        return settle.parked(received, found, due, now, handler_faults=found.hop.handler_faults + 1)

    def settled(self, received: Received, settlement: Settlement, *, effective: bool) -> None:
        """Count what was written."""
        self._claimed.discard(received.source)
        self._tally.settled(settlement, effective=effective)

    async def _send(self, received: Received, found: Readable, message: object) -> Settlement | None:
        provider = self._providers[self._carrier.candidates(found.delivery)[0]]
        at_most_once = found.delivery.semantics == "at_most_once"
        claim = _Claim(
            self._ledger, settle.key_of(found), received.source, at_most_once=at_most_once, claimed=self._claimed
        )
        started = self._clock.monotonic()
        try:
            outcome = await self._call(provider, found, message, claim)
        except NotClaimed:
            return self._not_claimed(received, found, claim)
        took = timedelta(seconds=self._clock.monotonic() - started)
        attempt = Attempt(provider=provider.name, ended_at=self._clock.now(), took=took, outcome=outcome)
        self._tally.attempted(attempt)
        decision = self._decide(found, attempt)
        if isinstance(decision, retry.NoAttempt):
            logger.error("route_misconfigured", provider=provider.name, code=outcome.code, detail=outcome.message)
            key = settle.key_of(found)
            return settle.parked(received, found, decision.not_before, attempt.ended_at, gives_back=key)
        return settle.attempted(received, found, attempt, decision)

    async def _call(self, provider: Provider, found: Readable, message: object, claim: _Claim) -> Outcome:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._config.deadline.total_seconds()
        key = f"{found.delivery.id}:{found.hop.life}"
        try:
            async with asyncio.timeout_at(deadline + _GRACE_SECONDS):
                return await provider.send(message, key=key, deadline=deadline, claim=claim)
        except TimeoutError:
            if claim.granted is None:
                return outcomes.Deferred(cause="deadline", message="no attempt could begin in time")
            return outcomes.Unconfirmed(phase="deadline", message="the provider did not answer in time")

    def _not_claimed(self, received: Received, found: Readable, claim: _Claim) -> Settlement | None:
        if claim.giving_up is None:
            self._tally.dropped()
            return None
        failure = Failure(kind="unconfirmed", message="an earlier attempt began and its outcome is not known")
        return settle.given_up(received, found, failure, claim.giving_up, now=self._clock.now(), claimed=True)

    def _decide(self, found: Readable, attempt: Attempt) -> retry.Decision:
        if attempt.bug and found.hop.handler_faults:
            return retry.Dead(reason=Reason.HANDLER_ERROR)
        return retry.decide(
            attempt.outcome,
            hop=found.hop,
            semantics=found.delivery.semantics,
            now=attempt.ended_at,
            policy=self._config.policy,
            random=self._random(),
        )


def _bug_failure(error: BaseException) -> Failure:
    """Return the failure that a bug is: its type only, since its text may hold anything."""
    return Failure(kind="handler_error", code=type(error).__name__, message=f"a bug: {type(error).__name__}")
