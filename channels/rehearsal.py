"""Tests: what a test key submitted goes the way of every delivery, and ends here instead of at a provider.

Nothing leaves the process, nothing is counted against a route, and nothing asks whether an address is suppressed. What
becomes of a test is in its address (`tocsin.magic`) and in the number of the attempt, so that a repeat comes to the
same.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec

from channels.provider import Capabilities, Claim
from channels.reading import Readable
from channels.routes import Call
from channels.way import Way
from tocsin import magic, receipts
from tocsin.delivery import Delivery
from tocsin.envelope import audit_record
from tocsin.ledger.port import Settlement
from tocsin.lifecycle import AuditEvent, Event, State
from tocsin.magic import Magic
from tocsin.outcome import Delivered, Outcome

PROVIDER = "test"

_CODE = "test"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rehearsal:
    """In place of a message that was rendered: what becomes of it, in which attempt."""

    magic: Magic
    attempt: int


class RehearsalProvider:
    """Takes tests. Fulfils `Provider`."""

    name = PROVIDER
    capabilities = Capabilities(idempotency=True, receipts=True)

    async def send(self, message: Rehearsal, *, key: str, deadline: float, claim: Claim) -> Outcome:
        """See `Provider`."""
        del deadline
        await claim()
        outcome = message.magic.outcome(message.attempt)
        if isinstance(outcome, Delivered):
            return Delivered(provider_id=_provider_id(key), code=_CODE)
        return outcome

    async def aclose(self) -> None:
        """Nothing is open."""


class RehearsalRoutes:
    """What `channels.routes.Routes` is to providers: here nothing is ever closed, held or short. Fulfils `Calls`."""

    async def begin(
        self, candidates: Collection[str], *, domain: str = "", urgent: bool = False, spared: bool = False
    ) -> Call:
        """Begin a call at once."""
        del candidates, urgent, spared
        return Call(PROVIDER, 0, 0.0, domain)

    def begin_now(self, candidates: Collection[str], *, avoid: Collection[str], domain: str = "") -> None:
        """There is no other provider."""

    def ended(self, call: Call, outcome: Outcome | None, *, claimed: bool) -> None:
        """Nothing is learned of it."""


def way() -> Way:
    """Return the way out that tests take."""
    return Way(providers={PROVIDER: RehearsalProvider()}, candidates=_candidates, calls=RehearsalRoutes())


def of(found: Readable) -> Rehearsal:
    """Return what is sent in place of the message of the attempt that comes next."""
    return Rehearsal(magic=magic.of(found.delivery.address), attempt=found.hop.attempt + 1)


def suppressed(delivery: Delivery) -> str | None:
    """Return why the address is taken to be suppressed, None if it is not. The list itself is not asked."""
    return magic.of(delivery.address).suppressed


def with_receipt(settlement: Settlement, found: Readable, now: datetime) -> Settlement:
    """Return the settlement of a test with the receipt that comes of it, if it was delivered and one does.

    A provider tells later. Here it is written at once, together with the end that it refines: nothing has to be
    remembered for it, and a crash loses neither or both.
    """
    event = magic.of(found.delivery.address).receipt
    if event is None or settlement.terminal is not State.DELIVERED:
        return settlement
    record = audit_record(_receipt(found, event, now))
    return msgspec.structs.replace(settlement, records=(*settlement.records, record))


def _candidates(delivery: Delivery) -> Sequence[str]:
    del delivery
    return (PROVIDER,)


def _receipt(found: Readable, event: Event, now: datetime) -> AuditEvent:
    delivery, life = found.delivery, found.hop.life
    provider_id = _provider_id(f"{delivery.id}:{life}")
    return receipts.receipt(
        event,
        delivery_id=delivery.id,
        notification_id=delivery.notification_id,
        tenant=delivery.tenant,
        life=life,
        provider_id=provider_id,
        time=now,
        # Without the address: nothing is suppressed for a test.
        data={
            "channel": delivery.channel,
            "provider": PROVIDER,
            "provider_id": provider_id,
            "code": _CODE,
            "message": "",
        },
    )


def _provider_id(key: str) -> str:
    return f"{PROVIDER}-{key}"
