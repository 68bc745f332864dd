"""The sink of `notifications.audit`: events become rows, however often and in whatever order they come.

Every write can be repeated: events are inserted once by their id, the rest is merged by the rules of `fold`. So a
batch that is read again after a crash changes nothing.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, TypeVar

from sqlalchemy import bindparam, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from audit import fold, statements, summary
from audit.statements import Statements
from audit.tables import deliveries, lives, notifications
from tocsin import envelope
from tocsin.lifecycle import State
from tocsin.record import Received
from tocsin.store import bulk
from tocsin.store.bulk import Insert

R = TypeVar("R")


class AuditSink:
    """Writes the audit's tables. Fulfils `tocsin.consume.ingest.Sink`."""

    name = "audit.ingest"

    def __init__(self) -> None:
        self._statements: Statements | None = None

    def wants(self, received: Received) -> bool:  # noqa: ARG002 - the audit is all of it
        """See `Sink`."""
        return True

    async def write(self, connection: AsyncConnection, batch: Sequence[Received]) -> None:
        """Write the events of the batch, and the states that follow from them."""
        rows = fold.fold(envelope.audit_event(received.value) for received in batch)
        write = self._statements = self._statements or statements.build(connection)
        inserts = (
            Insert(write.add_event, sorted(rows.events.values(), key=_key)),
            Insert(write.tell_notification, sorted(fold.states(rows), key=_key)),
            Insert(write.see_notification, _missing(rows.seen_notifications, rows.told_notifications)),
            Insert(write.add_metadata, sorted(set(rows.metadata))),
            Insert(write.tell_delivery, sorted(rows.told_deliveries.values(), key=_key)),
            Insert(write.see_delivery, _missing(rows.seen_deliveries, rows.told_deliveries)),
            Insert(write.merge_life, [rows.lives[key].row(*key) for key in sorted(rows.lives)]),
        )
        await bulk.write(connection, inserts)
        touched = rows.told_notifications.keys() | rows.seen_notifications.keys()
        await _sum_up(connection, touched | await _owners(connection, rows.strays))


def _missing(seen: Mapping[str, R], told: Mapping[str, Any]) -> list[R]:
    return [seen[identifier] for identifier in sorted(seen.keys() - told.keys())]


def _key(row: tuple[Any, ...]) -> Any:
    """Return what rows are written in the order of, so that two processes do not wait for each other."""
    return row[:2]


async def _owners(connection: AsyncConnection, strays: Collection[str]) -> set[str]:
    """Return the notifications of deliveries whose events did not name them."""
    if not strays:
        return set()
    query = select(deliveries.c.notification_id).where(deliveries.c.id.in_(strays))
    return set(await connection.scalars(query))


async def _sum_up(connection: AsyncConnection, notification_ids: Collection[str]) -> None:
    """Put into each notification what the latest lives of its deliveries come to."""
    if not notification_ids:
        return
    if connection.dialect.name != "sqlite":
        # Another process may be summing up other deliveries of the same notification.
        ours = select(notifications.c.id).where(notifications.c.id.in_(notification_ids)).order_by(notifications.c.id)
        await connection.execute(ours.with_for_update())
    query = (
        select(notifications.c.id, notifications.c.state, deliveries.c.id, lives.c.state)
        .join_from(notifications, deliveries, deliveries.c.notification_id == notifications.c.id)
        .join(lives, lives.c.delivery_id == deliveries.c.id)
        .where(notifications.c.id.in_(notification_ids))
        .order_by(lives.c.life)
    )
    kept: dict[str, str] = {}
    latest: dict[str, dict[str, State]] = {}
    for notification_id, state, delivery_id, told in await connection.execute(query):
        kept[notification_id] = state
        latest.setdefault(notification_id, {})[delivery_id] = State(told)
    sums = {notification_id: summary.of(states.values()).value for notification_id, states in latest.items()}
    changed = [{"which": which, "sum": state} for which, state in sums.items() if state != kept[which]]
    if changed:
        change = update(notifications).where(notifications.c.id == bindparam("which")).values(state=bindparam("sum"))
        await connection.execute(change, changed)
