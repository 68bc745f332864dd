"""One notification with all that happened to it: its deliveries, their lives, and the events of each in order."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import Row, select
from sqlalchemy.ext.asyncio import AsyncConnection

from audit import reading, summary
from audit.arrivals import Arrivals
from audit.tables import deliveries, events, lives, notifications
from audit.views import DeliveryView, EventView, TimelineView
from tocsin import ids
from tocsin.clock import Clock
from tocsin.lifecycle import State
from tocsin.store.engine import Store

# Accepted and not yet in the audit looks like unknown, so an id this young is given some time.
_YOUNG = timedelta(seconds=10)
_PATIENCE = timedelta(seconds=2)

EventsOfLives = dict[tuple[str | None, int | None], list[EventView]]


class Timelines:
    """Looks notifications up."""

    def __init__(self, *, store: Store, arrivals: Arrivals, clock: Clock) -> None:
        self._store = store
        self._arrivals = arrivals
        self._clock = clock

    async def find(self, notification_id: str, *, tenant: str, tests_only: bool = False) -> TimelineView | None:
        """Return a tenant's notification, None if it has none with this id. Waits up to 2 s for a young one.

        With `tests_only`, there are none but those of test keys.

        May raise StoreUnavailable.
        """
        made = ids.made_at(notification_id)
        if made is None or abs(self._clock.now() - made) > _YOUNG:
            return await self._look(notification_id, tenant, tests_only)
        with self._arrivals.expected(notification_id) as arrival:
            found = await self._look(notification_id, tenant, tests_only)
            if found is None and await arrival.within(_PATIENCE):
                found = await self._look(notification_id, tenant, tests_only)
            return found

    async def _look(self, notification_id: str, tenant: str, tests_only: bool) -> TimelineView | None:
        query = select(notifications).where(notifications.c.id == notification_id, notifications.c.tenant == tenant)
        if tests_only:
            query = query.where(notifications.c.test)
        async with self._store.read() as connection:
            row = (await connection.execute(query)).one_or_none()
            return None if row is None else await _whole(connection, row)


async def _whole(connection: AsyncConnection, row: Row[Any]) -> TimelineView:
    of_notification = select(deliveries).where(deliveries.c.notification_id == row.id)
    made = (await connection.execute(of_notification.order_by(deliveries.c.channel, deliveries.c.id))).all()
    delivery_ids = [delivery.id for delivery in made]
    of_deliveries = select(lives).where(lives.c.delivery_id.in_(delivery_ids))
    lived = (await connection.execute(of_deliveries.order_by(lives.c.life))).all()
    told = _by_life(await _events(connection, row.id, delivery_ids))

    views = [
        _delivery(delivery, [life for life in lived if life.delivery_id == delivery.id], told) for delivery in made
    ]
    partial = summary.partial([(view.channel, view.state) for view in views])
    # What belongs to no life that is known, the notification's own events above all, is left over.
    rest = sorted((event for each in told.values() for event in each), key=lambda event: event.time)
    return TimelineView(**reading.members(row), partial=partial, deliveries=views, events=rest)


async def _events(connection: AsyncConnection, notification_id: str, delivery_ids: Sequence[str]) -> list[Row[Any]]:
    """Return the events of a notification, and those of its deliveries that did not say whose they are, in order."""
    own = select(events).where(events.c.notification_id == notification_id)
    stray = select(events).where(events.c.notification_id == "", events.c.delivery_id.in_(delivery_ids))
    found = [*await connection.execute(own), *await connection.execute(stray)]
    return sorted(found, key=reading.order)


def _by_life(rows: Sequence[Row[Any]]) -> EventsOfLives:
    told: EventsOfLives = defaultdict(list)
    for row in rows:
        told[row.delivery_id, row.life].append(reading.event(row))
    return told


def _delivery(row: Row[Any], lived: Sequence[Row[Any]], told: EventsOfLives) -> DeliveryView:
    views = [reading.life(life, told.pop((life.delivery_id, life.life), [])) for life in lived]
    state = views[-1].state if views else State.ACCEPTED
    return DeliveryView(id=row.id, channel=row.channel, address=row.address, state=state, lives=views)
