"""Lists of notifications, newest first: what is asked for, as SQL that an index answers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, literal_column, select, true

from audit.tables import deliveries, notification_metadata, notifications
from tocsin import ids
from tocsin.lifecycle import State

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What to list; None leaves a field open. Notifications count from `since` on, and before `until`.

    `test` is whether they are tests. What was accepted before there were any is none.
    """

    recipient: str | None = None
    address: str | None = None
    state: State | None = None
    channel: str | None = None
    category: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    test: bool | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)


def query(wanted: Wanted, *, tenant: str, below: str | None, limit: int) -> Select[Any]:
    """Return the query for up to `limit` rows of `notifications` with ids below `below`, newest first."""
    # Whatever is found by metadata is read from the metadata's index, which has the ids in order, too.
    named = [notification_metadata.alias() for _ in wanted.metadata]
    identifier = named[0].c.notification_id if named else notifications.c.id
    found = select(notifications).where(notifications.c.tenant == tenant).order_by(identifier.desc()).limit(limit)
    for metadata, (key, value) in zip(named, wanted.metadata.items(), strict=True):
        found = found.join(metadata, metadata.c.notification_id == notifications.c.id)
        found = found.where(metadata.c.tenant == tenant, metadata.c.key == key, metadata.c.value == value)
    # An id begins with the time at which it was made.
    if below is not None:
        found = found.where(identifier < below)
    if wanted.since is not None:
        found = found.where(identifier >= ids.lowest(ids.NOTIFICATION, max(wanted.since, _EPOCH)))
    if wanted.until is not None:
        found = found.where(identifier < ids.lowest(ids.NOTIFICATION, max(wanted.until, _EPOCH)))
    return _by_delivery(_by_column(found, wanted), wanted, tenant)


def _by_column(found: Select[Any], wanted: Wanted) -> Select[Any]:
    if wanted.recipient is not None:
        found = found.where(notifications.c.recipient_id == wanted.recipient)
    if wanted.category is not None:
        found = found.where(notifications.c.category == wanted.category)
    if wanted.test is not None:
        # In the words of the partial index, without which it would not be used.
        tests: ColumnElement[Any] = literal_column("notifications.test")
        found = found.where(tests if wanted.test else notifications.c.test.is_distinct_from(true()))
    if wanted.state is not None:
        found = found.where(notifications.c.state == wanted.state.value)
    if wanted.state is not None and wanted.state is not State.DELIVERED:
        # Says nothing new, but in the words of the partial index, without which it would not be used.
        found = found.where(literal_column("notifications.state") != literal_column("'delivered'"))
    return found


def _by_delivery(found: Select[Any], wanted: Wanted, tenant: str) -> Select[Any]:
    """Add channel and address. Both at once mean one delivery that has both."""
    if wanted.address is not None:
        at = select(deliveries.c.notification_id).where(
            deliveries.c.tenant == tenant, deliveries.c.address == wanted.address
        )
        if wanted.channel is not None:
            at = at.where(deliveries.c.channel == wanted.channel)
        return found.where(notifications.c.id.in_(at))
    if wanted.channel is not None:
        through = and_(deliveries.c.notification_id == notifications.c.id, deliveries.c.channel == wanted.channel)
        return found.where(select(1).where(through).exists())
    return found
