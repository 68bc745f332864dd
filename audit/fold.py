"""Events → rows. Pure: what a batch of events says of notifications, deliveries and lives, each told once.

Nothing here depends on the order of the events, nor on how often one comes: of two states the higher rank holds, of
two counts the higher, of two moments the earlier start and the later change. `statements` has the same rules in SQL.
"""

from collections.abc import Iterable
from datetime import datetime

import msgspec

from audit import summary
from audit.rows import DeliveryRow, EventRow, Life, MetadataRow, NotificationRow, Rows, SeenNotification
from tocsin import lifecycle
from tocsin.clock import to_ms
from tocsin.delivery import Person
from tocsin.lifecycle import AuditEvent, Event, State
from tocsin.store.texts import storable


class AcceptedDelivery(msgspec.Struct, frozen=True, kw_only=True):
    """A delivery, as its notification's accepted event lists it."""

    id: str
    channel: str
    address: str


class Accepted(msgspec.Struct, frozen=True, kw_only=True):
    """The data of `tocsin.notification.accepted`."""

    deliveries: tuple[AcceptedDelivery, ...]
    expires_at: datetime
    recipient: Person = Person()
    channels: tuple[str, ...] = ()
    template: str | None = None
    template_version: str | None = None
    category: str | None = None
    lane: str | None = None
    metadata: dict[str, str] = {}
    test: bool = False


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What of a delivery event's data the rows need."""

    channel: str = ""
    reason: str | None = None
    code: str | None = None
    expires_at: datetime | None = None


_encode = msgspec.json.Encoder().encode


def fold(events: Iterable[AuditEvent]) -> Rows:
    """Return the rows of the events.

    Raises msgspec.ValidationError, or TypeError (a time without an offset), if one of them is not what it should be.
    """
    rows = Rows()
    for event in events:
        if event.id in rows.events:
            continue
        time = to_ms(event.time)
        rows.events[event.id] = _event(event, time)
        if event.type is Event.ACCEPTED:
            _accepted(rows, event, time)
        else:
            _other(rows, event, time)
    return rows


def states(rows: Rows) -> Iterable[NotificationRow]:
    """Return the accepted notifications with the state that this batch knows of: right for those new and whole."""
    latest: dict[str, list[State]] = {}
    for delivery in rows.told_deliveries.values():
        latest.setdefault(delivery.notification_id, []).append(rows.lives[delivery.id, 0].state)
    for notification in rows.told_notifications.values():
        yield notification._replace(state=summary.of(latest.get(notification.id, ())).value)


def _event(event: AuditEvent, time: int) -> EventRow:
    return EventRow(
        event.notification_id or "",
        event.id,
        event.delivery_id,
        event.life,
        event.attempt,
        event.type.value,
        time,
        event.tenant,
        _encode(event.data).decode(),
    )


def _accepted(rows: Rows, event: AuditEvent, time: int) -> None:
    notification, tenant = event.notification_id, event.tenant
    if notification is None:
        raise msgspec.ValidationError("an accepted event names no notification")
    told = msgspec.convert(event.data, Accepted)
    expires_at = to_ms(told.expires_at)
    rows.told_notifications[notification] = NotificationRow(
        id=notification,
        tenant=tenant,
        state=State.ACCEPTED.value,
        recipient_id=told.recipient.id,
        locale=told.recipient.locale,
        category=told.category,
        lane=told.lane,
        template=told.template,
        template_version=told.template_version,
        channels=_encode(told.channels).decode(),
        metadata=_encode(told.metadata).decode(),
        accepted_at=time,
        expires_at=expires_at,
        test=told.test,
    )
    for key, value in told.metadata.items():
        rows.metadata.append(MetadataRow(notification, key, tenant, value))
    for delivery in told.deliveries:
        rows.told_deliveries[delivery.id] = DeliveryRow(
            delivery.id, notification, tenant, delivery.channel, delivery.address
        )
        _merge(rows, (delivery.id, 0), Life(State.ACCEPTED, 0, time, time, expires_at, None, None))


def _other(rows: Rows, event: AuditEvent, time: int) -> None:
    notification, delivery = event.notification_id, event.delivery_id
    if notification is not None:
        rows.seen_notifications[notification] = SeenNotification(notification, event.tenant, State.ACCEPTED.value)
    if delivery is None or event.life is None:
        return
    told = msgspec.convert(event.data, Told)
    if notification is None:
        rows.strays.add(delivery)
    else:
        rows.seen_deliveries[delivery] = DeliveryRow(delivery, notification, event.tenant, told.channel, None)
    if (life := _life(event, told, time)) is not None:
        _merge(rows, (delivery, event.life), life)


def _life(event: AuditEvent, told: Told, time: int) -> Life | None:
    """Return what one event says of its life, None for one that only tells what was done with its dead letter."""
    state = lifecycle.state_after(event.type)
    if state is None and event.type is not Event.ATTEMPTED:
        return None
    attempts = event.attempt or 0
    if state is None or not state.terminal:
        expires_at = to_ms(told.expires_at) if event.type is Event.REPLAYED and told.expires_at is not None else None
        return Life(state or State.ACCEPTED, attempts, time, time, expires_at, None, None)
    return Life(state, attempts, time, time, None, _storable(told.reason), _storable(told.code))


def _storable(text: str | None) -> str | None:
    return None if text is None else storable(text)


def _merge(rows: Rows, key: tuple[str, int], told: Life) -> None:
    """Put what one event says of a life to what the others of the batch said."""
    life = rows.lives.setdefault(key, told)
    if life is told:
        return
    if told.state.rank > life.state.rank:
        life.state, life.reason, life.code = told.state, told.reason, told.code
    life.attempts = max(life.attempts, told.attempts)
    life.started_at = min(life.started_at, told.started_at)
    life.updated_at = max(life.updated_at, told.updated_at)
    if life.expires_at is None:
        life.expires_at = told.expires_at
