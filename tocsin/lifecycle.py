"""States, lives and the events that say how they change. The audit is the record of these events.

An event's id is a hash of what happened to what (delivery, life, attempt, transition), so that telling it twice is
telling it once; a state is taken from the highest rank seen, not from the order of arrival.
"""

from datetime import datetime
from enum import StrEnum
from typing import Any

import msgspec

from tocsin import ids

SCHEMA = "urn:tocsin:schema:audit-event:1"


class State(StrEnum):
    """The state of a life. The last five are terminal."""

    ACCEPTED = "accepted"
    RETRYING = "retrying"
    CANCELLED = "cancelled"
    SUPPRESSED = "suppressed"
    EXPIRED = "expired"
    DEAD = "dead"
    DELIVERED = "delivered"

    @property
    def terminal(self) -> bool:
        """Whether the life has ended."""
        return _RANKS[self] == _TERMINAL

    @property
    def rank(self) -> int:
        """Of two states told of one life, the higher rank holds. Exactly one terminal state is ever told."""
        return _RANKS[self]


_TERMINAL = 2
_RANKS = dict.fromkeys(State, _TERMINAL) | {State.ACCEPTED: 0, State.RETRYING: 1}


class Event(StrEnum):
    """The types of audit events: part of the public contract of `notifications.audit`."""

    ACCEPTED = "tocsin.notification.accepted"
    ATTEMPTED = "tocsin.delivery.attempted"
    RETRYING = "tocsin.delivery.retrying"
    DELIVERED = "tocsin.delivery.delivered"
    DEAD = "tocsin.delivery.dead"
    EXPIRED = "tocsin.delivery.expired"
    CANCELLED = "tocsin.delivery.cancelled"
    SUPPRESSED = "tocsin.delivery.suppressed"
    REPLAYED = "tocsin.delivery.replayed"
    DISCARDED = "tocsin.delivery.discarded"
    RECEIPT_CONFIRMED = "tocsin.receipt.confirmed"
    RECEIPT_DELAYED = "tocsin.receipt.delayed"
    RECEIPT_FAILED = "tocsin.receipt.failed"
    RECEIPT_COMPLAINED = "tocsin.receipt.complained"
    RECEIPT_OPTED_OUT = "tocsin.receipt.opted_out"
    RECEIPT_UNSUBSCRIBED = "tocsin.receipt.unsubscribed"
    RECEIPT_READ = "tocsin.receipt.read"
    SUPPRESSION_ADDED = "tocsin.suppression.added"
    SUPPRESSION_LIFTED = "tocsin.suppression.lifted"
    ROUTE_CHANGED = "tocsin.route.changed"
    ROUTE_SHIFTED = "tocsin.route.shifted"
    ROUTE_SECRETS_ROTATED = "tocsin.route.secrets_rotated"
    REQUEST_REFUSED = "tocsin.request.refused"
    REQUEST_REPLAYED = "tocsin.request.replayed"
    REQUEST_DISCARDED = "tocsin.request.discarded"
    OPERATOR_DEAD_LETTER_READ = "tocsin.operator.dead_letter_read"
    OPERATOR_KEY_CREATED = "tocsin.operator.key_created"
    OPERATOR_KEY_REVOKED = "tocsin.operator.key_revoked"


_STATES = {
    Event.ACCEPTED: State.ACCEPTED,
    Event.REPLAYED: State.ACCEPTED,
    Event.RETRYING: State.RETRYING,
    Event.DELIVERED: State.DELIVERED,
    Event.DEAD: State.DEAD,
    Event.EXPIRED: State.EXPIRED,
    Event.CANCELLED: State.CANCELLED,
    Event.SUPPRESSED: State.SUPPRESSED,
}
_ENDINGS = {state: event for event, state in _STATES.items() if state.terminal}


def state_after(event: Event) -> State | None:
    """Return the state that the event puts its life in, None if it changes none."""
    return _STATES.get(event)


def ending(state: State) -> Event:
    """Return the event that tells of a terminal state. Raises KeyError for the others."""
    return _ENDINGS[state]


class AuditEvent(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing that happened. `data` depends on the type; `schemas/audit-event.json` says how."""

    id: str
    type: Event
    time: datetime
    tenant: str
    notification_id: str | None = None
    delivery_id: str | None = None
    life: int | None = None
    attempt: int | None = None
    data: dict[str, Any] = {}


def of_notification(
    event: Event, *, notification_id: str, tenant: str, time: datetime, data: dict[str, Any]
) -> AuditEvent:
    """Return an event of a whole notification."""
    return AuditEvent(
        id=ids.derived(ids.EVENT, notification_id, event),
        type=event,
        time=time,
        tenant=tenant,
        notification_id=notification_id,
        data=data,
    )


def of_delivery(
    event: Event,
    *,
    delivery_id: str,
    notification_id: str,
    tenant: str,
    life: int,
    attempt: int,
    time: datetime,
    data: dict[str, Any],
) -> AuditEvent:
    """Return an event of one life of a delivery. `attempt` is 0 before the first."""
    return AuditEvent(
        id=ids.derived(ids.EVENT, delivery_id, str(life), str(attempt), event),
        type=event,
        time=time,
        tenant=tenant,
        notification_id=notification_id,
        delivery_id=delivery_id,
        life=life,
        attempt=attempt,
        data=data,
    )
