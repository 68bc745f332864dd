"""What became of a record → everything to write for it, in one piece. Pure.

A settlement holds the next record (a retry, the same one parked again, a dead letter), the audit events that tell of
it, and what the ledger is to remember.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import msgspec

from channels.reading import Readable, Unreadable
from tocsin import deadletter, hops, ids, lifecycle, retry, tiers, topics
from tocsin import outcome as outcomes
from tocsin.clock import rfc3339
from tocsin.deadletter import Reason
from tocsin.delivery import TENANT
from tocsin.envelope import audit_record
from tocsin.hops import Attempted, Failure, Hop
from tocsin.ledger.port import AttemptKey, Settlement
from tocsin.lifecycle import AuditEvent, Event, State
from tocsin.outcome import Outcome
from tocsin.record import Received, Record


class Tried(msgspec.Struct, frozen=True, kw_only=True):
    """A provider that did not take the message, so that another one was tried in the same attempt."""

    provider: str
    outcome: str
    code: str


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """An attempt that was made: through which provider, when it ended, what it took and what it came to.

    `tried` are the providers before it in the same attempt. `cost` is what the audit is to tell of its price. `bug`:
    the outcome is unknown because our own code failed. `untried`: there is another provider that might take it, and it
    could not be asked now.
    """

    provider: str
    ended_at: datetime
    took: timedelta
    outcome: Outcome
    tried: tuple[Tried, ...] = ()
    cost: Mapping[str, Any] | None = None
    bug: bool = False
    untried: bool = False


def key_of(readable: Readable) -> AttemptKey:
    """Return the key of the attempt that comes next for a delivery."""
    return AttemptKey(readable.delivery.id, readable.hop.life, readable.hop.attempt + 1)


def attempted(received: Received, readable: Readable, attempt: Attempt, decision: retry.Decision) -> Settlement:
    """Return what to write after an attempt that was claimed."""
    told = _attempted_event(readable, attempt)
    match decision:
        case retry.Done():
            return _ended(received, readable, State.DELIVERED, told, data=_delivered_data(readable, attempt))
        case retry.Again(not_before=not_before):
            return _retrying(received, readable, _after(readable.hop, attempt), told, not_before)
        case retry.Expired():
            return _ended(received, readable, State.EXPIRED, told, data={"channel": readable.delivery.channel})
        case retry.Dead(reason=reason):
            data, letter = _dead(received, readable, _after(readable.hop, attempt), reason)
            data |= _suppressing(readable, attempt.outcome, attempt.provider)
            return _ended(received, readable, State.DEAD, told, data=data, letter=letter)
        case retry.NoAttempt():
            raise ValueError("a call that is no attempt is parked, not settled")


def given_up(
    received: Received, readable: Readable, failure: Failure, reason: Reason, *, now: datetime, claimed: bool
) -> Settlement:
    """Return what to write for a delivery that ends dead without another provider call."""
    data, letter = _dead(received, readable, msgspec.structs.replace(readable.hop, failure=failure), reason)
    event = _event(readable, Event.DEAD, now, data)
    return Settlement(
        source=received.source,
        records=(letter, audit_record(event)),
        key=key_of(readable) if claimed else None,
        life=_life(readable),
        terminal=State.DEAD,
    )


def expired(received: Received, readable: Readable, now: datetime) -> Settlement:
    """Return what to write for a delivery whose time was over before its next attempt."""
    event = _event(readable, lifecycle.ending(State.EXPIRED), now, {"channel": readable.delivery.channel})
    return Settlement(
        source=received.source, records=(audit_record(event),), life=_life(readable), terminal=State.EXPIRED
    )


def suppressed(received: Received, readable: Readable, reason: str, now: datetime) -> Settlement:
    """Return what to write for a delivery to an address that nothing may be sent to."""
    data = {"channel": readable.delivery.channel, "reason": reason}
    event = _event(readable, lifecycle.ending(State.SUPPRESSED), now, data)
    return Settlement(
        source=received.source, records=(audit_record(event),), life=_life(readable), terminal=State.SUPPRESSED
    )


def parked(
    received: Received,
    readable: Readable,
    not_before: datetime,
    now: datetime,
    *,
    handler_faults: int | None = None,
    gives_back: AttemptKey | None = None,
) -> Settlement:
    """Return what to write for a delivery that has to wait on: the same attempt, in the tier that fits the rest."""
    faults = readable.hop.handler_faults if handler_faults is None else handler_faults
    hop = hops.onward(readable.hop, source=received.source, not_before=not_before, handler_faults=faults)
    return Settlement(
        source=received.source,
        records=(_waiting(received, readable, hop, not_before - now),),
        gives_back=gives_back,
        life=_life(readable),
    )


def unreadable(received: Received, channel: str, found: Unreadable, now: datetime) -> Settlement:
    """Return what to write for a record that cannot be read: a dead letter with its bytes intact."""
    life = deadletter.life_of(received.headers)
    letter = deadletter.of_unreadable(received, channel=channel, reason=found.reason, detail=found.detail)
    event = AuditEvent(
        id=ids.hashed(ids.EVENT, *map(str, received.source), Event.DEAD),
        type=Event.DEAD,
        time=now,
        tenant=TENANT,
        delivery_id=life[0] if life else None,
        life=life[1] if life else None,
        data={
            "channel": channel,
            "reason": str(found.reason),
            "code": "",
            "message": found.detail,
            "dead_letter_id": deadletter.letter_id(life, received.source),
        },
    )
    return Settlement(
        source=received.source,
        records=(letter, audit_record(event)),
        life=life,
        terminal=State.DEAD if life else None,
    )


def _retrying(received: Received, readable: Readable, hop: Hop, told: AuditEvent, not_before: datetime) -> Settlement:
    onward = hops.onward(hop, source=received.source, not_before=not_before)
    wait = not_before - told.time
    event = _event(
        readable,
        Event.RETRYING,
        told.time,
        {
            "channel": readable.delivery.channel,
            "not_before": rfc3339(not_before),
            "tier": tiers.fitting(wait).name,
        },
        attempt=hop.attempt,
    )
    records = (_waiting(received, readable, onward, wait), audit_record(told), audit_record(event))
    return Settlement(source=received.source, records=records, key=key_of(readable), life=_life(readable))


def _dead(received: Received, readable: Readable, hop: Hop, reason: Reason) -> tuple[dict[str, Any], Record]:
    """Return the data of the event that tells of a death, and the dead letter."""
    delivery = readable.delivery
    failure = hop.failure or Failure(kind="")
    data = {
        "channel": delivery.channel,
        "reason": str(reason),
        "code": failure.code,
        "message": failure.message,
        "dead_letter_id": deadletter.letter_id((delivery.id, hop.life), received.source),
    }
    return data, deadletter.of_delivery(received, channel=delivery.channel, hop=hop, reason=reason)


def _suppressing(readable: Readable, outcome: Outcome, provider: str) -> dict[str, str]:
    """Return what the event of a death says more where the address is not to be used again."""
    if not isinstance(outcome, outcomes.Rejected) or outcome.suppress is None:
        return {}
    return {"suppress": outcome.suppress, "address": readable.delivery.address, "provider": provider}


def _ended(
    received: Received,
    readable: Readable,
    state: State,
    told: AuditEvent,
    *,
    data: dict[str, Any],
    letter: Record | None = None,
) -> Settlement:
    event = _event(readable, lifecycle.ending(state), told.time, data, attempt=readable.hop.attempt + 1)
    records = (audit_record(told), audit_record(event))
    return Settlement(
        source=received.source,
        records=records if letter is None else (letter, *records),
        key=key_of(readable),
        life=_life(readable),
        terminal=state,
    )


def _after(hop: Hop, attempt: Attempt) -> Hop:
    """Return the hop with this attempt in it."""
    outcome = attempt.outcome
    made = Attempted(
        attempt=hop.attempt + 1,
        at=attempt.ended_at,
        outcome=outcomes.name(outcome),
        provider=attempt.provider,
        code=outcome.code,
        message=outcome.message,
    )
    unconfirmed = hop.unconfirmed + isinstance(outcome, outcomes.Unconfirmed)
    failure = Failure(
        kind=outcomes.name(outcome), code=outcome.code, message=outcome.message, provider=attempt.provider
    )
    return msgspec.structs.replace(
        hop,
        attempt=hop.attempt + 1,
        unconfirmed=unconfirmed,
        handler_faults=hop.handler_faults + attempt.bug,
        failure=failure,
        history=hops.remembered(hop, made),
    )


def _waiting(received: Received, readable: Readable, hop: Hop, wait: timedelta) -> Record:
    delivery = readable.delivery
    topic = topics.retry(delivery.channel, delivery.lane, tiers.fitting(wait))
    return Record(topic=topic, key=received.key, value=received.value, headers=hops.write(received.headers, hop))


def _attempted_event(readable: Readable, attempt: Attempt) -> AuditEvent:
    outcome = attempt.outcome
    data: dict[str, Any] = {
        "channel": readable.delivery.channel,
        "provider": attempt.provider,
        "outcome": outcomes.name(outcome),
        "code": outcome.code,
        "message": outcome.message,
        "duration_ms": attempt.took // timedelta(milliseconds=1),
    }
    if attempt.cost:
        data |= attempt.cost
    if attempt.tried:
        data["tried"] = msgspec.to_builtins(attempt.tried)
    return _event(readable, Event.ATTEMPTED, attempt.ended_at, data, attempt=readable.hop.attempt + 1)


def _delivered_data(readable: Readable, attempt: Attempt) -> dict[str, Any]:
    outcome = attempt.outcome
    provider_id = outcome.provider_id if isinstance(outcome, outcomes.Delivered) else None
    return {
        "channel": readable.delivery.channel,
        "provider": attempt.provider,
        "provider_id": provider_id,
        "code": outcome.code,
    }


def _event(
    readable: Readable, event: Event, time: datetime, data: dict[str, Any], *, attempt: int | None = None
) -> AuditEvent:
    delivery = readable.delivery
    return lifecycle.of_delivery(
        event,
        delivery_id=delivery.id,
        notification_id=delivery.notification_id,
        tenant=delivery.tenant,
        life=readable.hop.life,
        attempt=readable.hop.attempt if attempt is None else attempt,
        time=time,
        data=data,
    )


def _life(readable: Readable) -> tuple[str, int]:
    return readable.delivery.id, readable.hop.life
