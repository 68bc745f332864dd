"""The audit's writes as SQL text, built once: each can be repeated, and none minds in which order events come.

The hot path runs them on plain tuples. Given dicts, SQLAlchemy would spend more on each row than SQLite does.
"""

from typing import Any, NamedTuple

from sqlalchemy import Table, case, func
from sqlalchemy.ext.asyncio import AsyncConnection

from audit.rows import DeliveryRow, EventRow, LifeRow, MetadataRow, NotificationRow, SeenNotification
from audit.tables import deliveries, events, lives, notification_metadata, notifications
from tocsin.store import upsert

_TOLD_NOTIFICATION = NotificationRow._fields[NotificationRow._fields.index("recipient_id") :]
_TOLD_DELIVERY = ("notification_id", "tenant", "channel", "address")


class Statements(NamedTuple):
    """The text of each write, for rows of the type that its name says."""

    add_event: str
    tell_notification: str
    see_notification: str
    add_metadata: str
    tell_delivery: str
    see_delivery: str
    merge_life: str


def build(connection: AsyncConnection) -> Statements:
    """Return the statements for the connection's kind of database."""

    def add(table: Table, row: type[tuple[Any, ...]]) -> str:
        return upsert.text(connection, upsert.insert(connection, table).on_conflict_do_nothing(), _fields(row))

    def tell(table: Table, row: type[tuple[Any, ...]], columns: tuple[str, ...]) -> str:
        statement = upsert.insert(connection, table)
        changes = {column: statement.excluded[column] for column in columns}
        merged = statement.on_conflict_do_update(index_elements=list(table.primary_key), set_=changes)
        return upsert.text(connection, merged, _fields(row))

    return Statements(
        add_event=add(events, EventRow),
        tell_notification=tell(notifications, NotificationRow, _TOLD_NOTIFICATION),
        see_notification=add(notifications, SeenNotification),
        add_metadata=add(notification_metadata, MetadataRow),
        tell_delivery=tell(deliveries, DeliveryRow, _TOLD_DELIVERY),
        see_delivery=add(deliveries, DeliveryRow),
        merge_life=_merge_life(connection),
    )


def _merge_life(connection: AsyncConnection) -> str:
    """Return the rules of `fold` in SQL: the higher rank holds, with the reason and the code that came with it."""
    statement = upsert.insert(connection, lives)
    kept, told = lives.c, statement.excluded
    higher = told.rank > kept.rank
    merged = statement.on_conflict_do_update(
        index_elements=list(lives.primary_key),
        set_={
            **{column: case((higher, told[column]), else_=kept[column]) for column in ("state", "reason", "code")},
            **{c: case((told[c] > kept[c], told[c]), else_=kept[c]) for c in ("rank", "attempts", "updated_at")},
            "started_at": case((told.started_at < kept.started_at, told.started_at), else_=kept.started_at),
            "expires_at": func.coalesce(kept.expires_at, told.expires_at),
        },
    )
    return upsert.text(connection, merged, LifeRow._fields)


def _fields(row: type[tuple[Any, ...]]) -> tuple[str, ...]:
    """Return the columns of a row's type, which is a NamedTuple."""
    fields: tuple[str, ...] = row._fields  # type: ignore[attr-defined] # every NamedTuple has it, and no base says so
    return fields
