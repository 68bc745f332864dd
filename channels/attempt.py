"""One record, from the log to its settlement: read, look whether it is time, render, find a route, claim, send, decide.

The claim comes last, with the provider's connection held: what is claimed is about to be sent. It is one claim for all
providers that are tried in the attempt.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec

from channels import rehearsal, settle, signs
from channels.claim import AttemptClaim
from channels.provider import Carrier
from channels.reading import Readable, Reader, Unreadable
from channels.routes import Call, Closed, Routes, domain_of
from channels.settle import Attempt, Tried
from channels.tally import Tally
from channels.way import Way
from tocsin import hops, retry, tiers, topics
from tocsin import outcome as outcomes
from tocsin.clock import Clock
from tocsin.deadletter import Reason
from tocsin.delivery import Delivery, Lane, TemplateRef
from tocsin.errors import LogUnavailable, NotClaimed
from tocsin.hops import Failure
from tocsin.ledger.port import Ledger, Settlement
from tocsin.outcome import Outcome
from tocsin.record import Received, Source
from tocsin.retry import RetryPolicy

# How long a provider may overrun the deadline that it was given before it is cut off.
_GRACE_SECONDS = 2.0
# With less of an attempt left, no other provider is tried.
_LEAST_SECONDS = 5.0
# What finds no route again and again waits in ever longer tiers, up to this one, and not all of it the same time.
_LAST_PARKED_TIER = 3
_PARKED_JITTER = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptConfig:
    """How attempts of one channel are made."""

    channel: str
    policy: RetryPolicy
    deadline: timedelta


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
        routes: Routes,
        fetch_template: Callable[[TemplateRef], Awaitable[None]],
        suppressed: Callable[[Delivery], Awaitable[str | None]],
    ) -> None:
        self._config = config
        self._reader = reader
        self._carrier = carrier
        providers = {provider.name: provider for provider in carrier.providers}
        self._live = Way(providers=providers, candidates=carrier.candidates, calls=routes)
        self._rehearsal = rehearsal.way()
        self._ledger = ledger
        self._clock = clock
        self._random = random
        self._tally = tally
        self._fetch_template = fetch_template
        self._suppressed = suppressed
        # What was claimed and is not settled yet, and by which provider: if our code fails now, bytes may have left.
        self._claimed: dict[Source, str] = {}
        # The tests among what is being handled: nothing of them is counted.
        self._tests: set[Source] = set()

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
        if found.delivery.test:
            return await self._rehearse(received, found, now)
        if (untimely := _untimely(received, found, now)) is not None:
            return untimely
        if (reason := await self._suppressed(found.delivery)) is not None:
            return settle.suppressed(received, found, reason, now)
        return await self._render(received, found, now, self._live)

    def on_bug(self, received: Received, error: BaseException) -> Settlement:
        """A bug is tried once more, then it is a dead letter. After the claim it has left an unknown outcome."""
        found = self._reader.read(received)
        now = self._clock.now()
        if isinstance(found, Unreadable):
            return settle.unreadable(received, self._config.channel, found, now)
        failure = _bug_failure(error)
        if found.delivery.test:
            self._tests.add(received.source)
        provider = self._claimed.get(received.source)
        if provider:
            outcome = outcomes.Unconfirmed(phase="handler_error", code=failure.code, message=failure.message)
            attempt = Attempt(provider=provider, ended_at=now, took=timedelta(), outcome=outcome, bug=True)
            return settle.attempted(received, found, attempt, self._decide(found, attempt))
        claimed = provider is not None
        if found.hop.handler_faults:
            return settle.given_up(received, found, failure, Reason.HANDLER_ERROR, now=now, claimed=claimed)
        return settle.parked(
            received,
            found,
            now + tiers.TIERS[0].delay,
            now,
            handler_faults=found.hop.handler_faults + 1,
            gives_back=settle.key_of(found) if claimed else None,
        )

    def settled(self, received: Received, settlement: Settlement, *, effective: bool) -> None:
        """Count what was written."""
        self._claimed.pop(received.source, None)
        if self._tests and received.source in self._tests:
            self._tests.remove(received.source)
        else:
            self._tally.settled(settlement, effective=effective)

    async def _rehearse(self, received: Received, found: Readable, now: datetime) -> Settlement | None:
        """Make the attempt of a test: as any other, but for the list of suppressed addresses and the way out."""
        settlement = _untimely(received, found, now)
        if settlement is None and (reason := rehearsal.suppressed(found.delivery)) is not None:
            settlement = settle.suppressed(received, found, reason, now)
        if settlement is None:
            settlement = await self._render(received, found, now, self._rehearsal)
        if settlement is None:
            return None
        self._tests.add(received.source)
        return rehearsal.with_receipt(settlement, found, self._clock.now())

    async def _render(self, received: Received, found: Readable, now: datetime, way: Way) -> Settlement | None:
        if found.delivery.template is not None:
            await self._fetch_template(found.delivery.template)
        message = await self._carrier.render(found.delivery)
        if isinstance(message, outcomes.Rejected):
            failure = Failure(kind=outcomes.name(message), code=message.reason, message=message.message)
            return settle.given_up(received, found, failure, Reason.REJECTED, now=now, claimed=False)
        # A test has been rendered, for it dies of the same mistakes; what it sends is what it is to come to.
        return await self._send(received, found, rehearsal.of(found) if found.delivery.test else message, way)

    async def _send(self, received: Received, found: Readable, message: object, way: Way) -> Settlement | None:
        delivery = found.delivery
        candidates, domain = way.candidates(delivery), domain_of(delivery.address)
        # A provider that is down may not say whether it took a probe, and two such answers are a delivery's end.
        doubtful = found.hop.unconfirmed > 0
        call = await way.calls.begin(candidates, domain=domain, urgent=delivery.lane is Lane.HIGH, spared=doubtful)
        if isinstance(call, Closed):
            return self._no_route(received, found, call)
        time = asyncio.get_running_loop().time
        claim = AttemptClaim(
            self._ledger,
            settle.key_of(found),
            received.source,
            at_most_once=delivery.semantics == "at_most_once",
            deadline=time() + self._config.deadline.total_seconds(),
            time=time,
            claimed=self._claimed,
        )
        try:
            attempt = await self._attempt(found, message, call, candidates, claim, way=way)
        except NotClaimed:
            return self._not_claimed(received, found, claim)
        except asyncio.CancelledError:
            self._claimed.pop(received.source, None)
            raise
        decision = self._decide(found, attempt)
        if isinstance(decision, retry.NoAttempt):
            key = settle.key_of(found)
            return settle.parked(received, found, decision.not_before, attempt.ended_at, gives_back=key)
        return settle.attempted(received, found, attempt, decision)

    def _no_route(self, received: Received, found: Readable, closed: Closed) -> Settlement:
        """Park it until a route may take it. It is no attempt, and nothing was claimed.

        Each time for longer: while its route is closed another one may be open, and what cannot go there would else
        be written anew with every probe.
        """
        now = self._clock.now()
        grown = tiers.of_attempt(min(found.hop.hops + 1, _LAST_PARKED_TIER)).delay * (
            1 + _PARKED_JITTER * self._random()
        )
        wait = max(timedelta(seconds=closed.wait_seconds), grown)
        return settle.parked(received, found, min(now + wait, found.hop.expires_at), now)

    async def _attempt(
        self,
        found: Readable,
        message: object,
        call: Call,
        candidates: Sequence[str],
        claim: AttemptClaim,
        *,
        way: Way,
    ) -> Attempt:
        """Call a provider, and where it is to blame that the message was not taken, at once another one."""
        tried: tuple[Tried, ...] = ()
        while True:
            started = self._clock.monotonic()
            outcome = await self._call(call, found, message, claim, way)
            took = timedelta(seconds=self._clock.monotonic() - started)
            attempt = Attempt(
                provider=call.provider,
                ended_at=self._clock.now(),
                took=took,
                outcome=outcome,
                tried=tried,
                cost=getattr(message, "cost", None),
            )
            if not found.delivery.test:
                self._tally.attempted(attempt)
            if not signs.fails_over(outcome, claimed=claim.awaited):
                return attempt
            tried += (Tried(provider=call.provider, outcome=outcomes.name(outcome), code=outcome.code),)
            untried = len(tried) < len(candidates)
            if not untried or claim.left < _LEAST_SECONDS:
                return msgspec.structs.replace(attempt, untried=untried)
            another = way.calls.begin_now(candidates, avoid=[each.provider for each in tried], domain=call.domain)
            if another is None:
                return msgspec.structs.replace(attempt, untried=True)
            call = another

    async def _call(self, call: Call, found: Readable, message: object, claim: AttemptClaim, way: Way) -> Outcome:
        outcome: Outcome | None = None
        claim.pass_to(call.provider)
        key = f"{found.delivery.id}:{found.hop.life}"
        try:
            async with asyncio.timeout_at(claim.deadline + _GRACE_SECONDS):
                provider = way.providers[call.provider]
                outcome = await provider.send(message, key=key, deadline=claim.deadline, claim=claim)
        except TimeoutError:
            if claim.awaited:
                outcome = outcomes.Unconfirmed(phase="deadline", message="the provider did not answer in time")
            else:
                outcome = outcomes.Deferred(cause="deadline", message="no attempt could begin in time")
        finally:
            # Where the ledger has kept it waiting for the claim, the provider is not to blame.
            kept_waiting = claim.asked and not claim.granted
            way.calls.ended(call, None if kept_waiting else outcome, claimed=claim.awaited)
        if kept_waiting:
            raise LogUnavailable("the ledger has not answered within the time of an attempt")
        return outcome

    def _not_claimed(self, received: Received, found: Readable, claim: AttemptClaim) -> Settlement | None:
        if claim.late and claim.giving_up is None:
            now = self._clock.now()
            return settle.parked(received, found, now + tiers.TIERS[0].delay, now, gives_back=settle.key_of(found))
        if claim.giving_up is None:
            self._tally.dropped()
            return None
        failure = Failure(kind="unconfirmed", message="an earlier attempt began and its outcome is not known")
        return settle.given_up(received, found, failure, claim.giving_up, now=self._clock.now(), claimed=True)

    def _decide(self, found: Readable, attempt: Attempt) -> retry.Decision:
        if attempt.bug and found.hop.handler_faults:
            return retry.Dead(reason=Reason.HANDLER_ERROR)
        outcome = attempt.outcome
        if attempt.untried and isinstance(outcome, outcomes.Rejected) and outcome.scope == "route":
            # Final for this provider only, and the other one was merely busy.
            outcome = outcomes.Deferred(cause=outcome.reason)
        return retry.decide(
            outcome,
            hop=found.hop,
            semantics=found.delivery.semantics,
            now=attempt.ended_at,
            policy=self._config.policy,
            random=self._random(),
        )


def _untimely(received: Received, found: Readable, now: datetime) -> Settlement | None:
    """Return what to write for a delivery whose time is over or has not come, None if it is time for an attempt."""
    if now >= found.hop.expires_at:
        return settle.expired(received, found, now)
    if found.hop.not_before is not None and found.hop.not_before > now:
        return settle.parked(received, found, found.hop.not_before, now)
    return None


def _bug_failure(error: BaseException) -> Failure:
    """Return the failure that a bug is: its type only, since its text may hold anything."""
    return Failure(kind="handler_error", code=type(error).__name__, message=f"a bug: {type(error).__name__}")
