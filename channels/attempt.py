"""One record, from the log to its settlement: read, look whether it is time, render, find a route, claim, send, decide.

The claim comes last, with the provider's connection held: what is claimed is about to be sent. It is one claim for all
providers that are tried in the attempt.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec

from channels import settle, signs
from channels.provider import Carrier
from channels.reading import Readable, Reader, Unreadable
from channels.routes import Call, Closed, Routes, domain_of
from channels.settle import Attempt, Tried
from channels.tally import Tally
from tocsin import hops, retry, tiers, topics
from tocsin import outcome as outcomes
from tocsin.clock import Clock
from tocsin.deadletter import Reason
from tocsin.delivery import Delivery, Lane, TemplateRef
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
# With less of an attempt left, no other provider is tried.
_LEAST_SECONDS = 5.0
# In place of a provider's name: it is claimed, and nothing of it has left.
_NOBODY = ""
# What finds no route again and again waits in ever longer tiers, up to this one, and not all of it the same time.
_LAST_PARKED_TIER = 3
_PARKED_JITTER = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptConfig:
    """How attempts of one channel are made."""

    channel: str
    policy: RetryPolicy
    deadline: timedelta


class _Claim:
    """The claim of one attempt, as its providers await it; remembers what came of it.

    `provider` is the one that is being called; `asked` says that it wants the claim, `awaited` that it has it.
    """

    def __init__(
        self, ledger: Ledger, key: AttemptKey, source: Source, *, at_most_once: bool, claimed: dict[Source, str]
    ) -> None:
        self._claimed = claimed
        self._ledger = ledger
        self._key = key
        self._source = source
        self._at_most_once = at_most_once
        self.provider = ""
        self.asked = self.awaited = False
        self.granted: Granted | None = None
        self.giving_up: Reason | None = None

    def pass_to(self, provider: str) -> None:
        """Have the provider that is called next ask for it. Whoever was called before has surely not taken anything."""
        self.provider = provider
        self.asked = self.awaited = False
        if self.granted is not None:
            self._claimed[self._source] = _NOBODY

    async def __call__(self) -> None:
        self.asked = True
        if self.granted is None:
            await self._get()
        else:
            self._claimed[self._source] = self.provider
        self.awaited = True

    async def _get(self) -> None:
        answer = await self._ledger.claim(self._key, self._source, durable=self._at_most_once)
        if not isinstance(answer, Granted):
            raise NotClaimed
        self.granted = answer
        self._claimed[self._source] = self.provider
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
        routes: Routes,
        fetch_template: Callable[[TemplateRef], Awaitable[None]],
        suppressed: Callable[[Delivery], Awaitable[str | None]],
    ) -> None:
        self._config = config
        self._reader = reader
        self._carrier = carrier
        self._providers = {provider.name: provider for provider in carrier.providers}
        self._ledger = ledger
        self._clock = clock
        self._random = random
        self._tally = tally
        self._routes = routes
        self._fetch_template = fetch_template
        self._suppressed = suppressed
        # What was claimed and is not settled yet, and by which provider: if our code fails now, bytes may have left.
        self._claimed: dict[Source, str] = {}

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
        if (reason := await self._suppressed(found.delivery)) is not None:
            return settle.suppressed(received, found, reason, now)
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
        self._tally.settled(settlement, effective=effective)

    async def _send(self, received: Received, found: Readable, message: object) -> Settlement | None:
        delivery = found.delivery
        candidates, domain = self._carrier.candidates(delivery), domain_of(delivery.address)
        call = await self._routes.begin(candidates, domain=domain, urgent=delivery.lane is Lane.HIGH)
        if isinstance(call, Closed):
            return self._no_route(received, found, call)
        claim = _Claim(
            self._ledger,
            settle.key_of(found),
            received.source,
            at_most_once=delivery.semantics == "at_most_once",
            claimed=self._claimed,
        )
        try:
            attempt = await self._attempt(found, message, call, candidates, claim)
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
        self, found: Readable, message: object, call: Call, candidates: Sequence[str], claim: _Claim
    ) -> Attempt:
        """Call a provider, and where it is to blame that the message was not taken, at once another one."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._config.deadline.total_seconds()
        tried: tuple[Tried, ...] = ()
        while True:
            started = self._clock.monotonic()
            outcome = await self._call(call, found, message, claim, deadline=deadline)
            took = timedelta(seconds=self._clock.monotonic() - started)
            attempt = Attempt(
                provider=call.provider, ended_at=self._clock.now(), took=took, outcome=outcome, tried=tried
            )
            self._tally.attempted(attempt)
            if not signs.fails_over(outcome, claimed=claim.awaited):
                return attempt
            tried += (Tried(provider=call.provider, outcome=outcomes.name(outcome), code=outcome.code),)
            untried = len(tried) < len(candidates)
            if not untried or deadline - loop.time() < _LEAST_SECONDS:
                return msgspec.structs.replace(attempt, untried=untried)
            another = self._routes.begin_now(candidates, avoid=[each.provider for each in tried], domain=call.domain)
            if another is None:
                return msgspec.structs.replace(attempt, untried=True)
            call = another

    async def _call(self, call: Call, found: Readable, message: object, claim: _Claim, *, deadline: float) -> Outcome:
        outcome: Outcome | None = None
        # Where the ledger has kept it waiting for the claim, the provider is not to blame.
        blamed = True
        claim.pass_to(call.provider)
        key = f"{found.delivery.id}:{found.hop.life}"
        try:
            async with asyncio.timeout_at(deadline + _GRACE_SECONDS):
                provider = self._providers[call.provider]
                outcome = await provider.send(message, key=key, deadline=deadline, claim=claim)
        except TimeoutError:
            if claim.awaited:
                outcome = outcomes.Unconfirmed(phase="deadline", message="the provider did not answer in time")
            else:
                blamed = not claim.asked
                outcome = outcomes.Deferred(cause="deadline", message="no attempt could begin in time")
        finally:
            self._routes.ended(call, outcome if blamed else None, claimed=claim.awaited)
        return outcome

    def _not_claimed(self, received: Received, found: Readable, claim: _Claim) -> Settlement | None:
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


def _bug_failure(error: BaseException) -> Failure:
    """Return the failure that a bug is: its type only, since its text may hold anything."""
    return Failure(kind="handler_error", code=type(error).__name__, message=f"a bug: {type(error).__name__}")
