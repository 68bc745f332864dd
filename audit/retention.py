"""Deletes what is older than the store keeps, in transactions small enough that nobody waits long for the writer."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from loguru import logger
from sqlalchemy import CursorResult, delete, exists, select
from sqlalchemy.ext.asyncio import AsyncConnection

from audit.tables import deliveries, events, lives, notification_metadata, notifications
from tocsin import ids
from tocsin.clock import Clock, to_ms
from tocsin.consume.stopping import Stop
from tocsin.errors import StoreUnavailable
from tocsin.lifecycle import State
from tocsin.store.engine import Store

_BATCH = 500
_INTERVAL = timedelta(hours=1)
_ENDED = [state.value for state in State if state.terminal]


class Retention:
    """Deletes notifications made more than `keep` ago, with all that belongs to them. Fulfils `Loop`.

    What has not ended stays, whatever its age: it is what the reconciler's alarm is about.
    """

    def __init__(self, *, store: Store, clock: Clock, keep: timedelta) -> None:
        self._store = store
        self._clock = clock
        self._keep = keep
        self._stop = Stop(clock)

    @property
    def name(self) -> str:
        """See `Loop`."""
        return "audit.retention"

    def stop(self) -> None:
        """See `Loop`."""
        self._stop.request()

    async def run(self) -> None:
        """See `Loop`."""
        await self._stop.repeat(self._sweep, every=_INTERVAL)

    async def _sweep(self) -> None:
        try:
            logger.debug("audit_swept", notifications=await self.sweep())
        except StoreUnavailable as error:
            logger.warning("audit_sweep_failed", error=str(error))

    async def sweep(self) -> int:
        """Delete all that is too old, unless stopped, and return how many notifications went."""
        before = self._clock.now() - self._keep
        deleted = 0
        while not self._stop.requested:
            async with self._store.write() as connection:
                found = await _delete_notifications(connection, before)
                strays = await _delete_strays(connection, before)
            deleted += found
            if found < _BATCH and strays < _BATCH:
                break
        return deleted


async def _delete_notifications(connection: AsyncConnection, before: datetime) -> int:
    old = select(notifications.c.id).where(
        notifications.c.id < ids.lowest(ids.NOTIFICATION, before), notifications.c.state.in_(_ENDED)
    )
    found = (await connection.scalars(old.order_by(notifications.c.id).limit(_BATCH))).all()
    if found:
        await _delete_all_of(connection, found)
    return len(found)


async def _delete_all_of(connection: AsyncConnection, notification_ids: Sequence[str]) -> None:
    theirs = deliveries.c.notification_id.in_(notification_ids)
    delivery_ids = (await connection.scalars(select(deliveries.c.id).where(theirs))).all()
    await connection.execute(delete(lives).where(lives.c.delivery_id.in_(delivery_ids)))
    await connection.execute(
        delete(events).where(events.c.notification_id == "", events.c.delivery_id.in_(delivery_ids))
    )
    await connection.execute(delete(deliveries).where(theirs))
    for table in (events, notification_metadata):
        await connection.execute(delete(table).where(table.c.notification_id.in_(notification_ids)))
    await connection.execute(delete(notifications).where(notifications.c.id.in_(notification_ids)))


async def _delete_strays(connection: AsyncConnection, before: datetime) -> int:
    """Delete old rows that belong to no notification: operators' actions, and what was told of unknown deliveries."""
    actions = select(events.c.id).where(events.c.notification_id == "", events.c.time < to_ms(before)).limit(_BATCH)
    gone: CursorResult[tuple[()]] = await connection.execute(
        delete(events).where(events.c.notification_id == "", events.c.id.in_(actions))
    )
    unknown = (
        select(lives.c.delivery_id)
        .where(lives.c.delivery_id < ids.lowest(ids.DELIVERY, before))
        .where(~exists().where(deliveries.c.id == lives.c.delivery_id))
        .limit(_BATCH)
    )
    ended: CursorResult[tuple[()]] = await connection.execute(delete(lives).where(lives.c.delivery_id.in_(unknown)))
    return max(gone.rowcount, ended.rowcount)
