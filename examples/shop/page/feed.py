"""The feed: what happened, kept in the page's own database, so that a browser that comes back misses nothing of it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from examples.shop.kit import tables
from examples.shop.kit.database import Database, upsert
from examples.shop.page.happening import ACCEPTED, DELIVERED, Happening
from examples.shop.page.tables import feed
from tocsin.clock import from_ms

# So many are kept, and so many are shown to a browser that comes for the first time.
KEPT = 20_000
SHOWN = 600


class Entry(NamedTuple):
    """One entry: its number, and what the browser gets."""

    number: int
    body: bytes


class Delivery(NamedTuple):
    """A delivery that a provider took: by which, when, and under which name of the provider's."""

    provider: str
    provider_id: str
    at: datetime


class _Delivered(msgspec.Struct, frozen=True, kw_only=True):
    """What the body of an entry says of who took a delivery."""

    provider: str
    provider_id: str | None = None


class Feed:
    """Reads the feed. Every method raises DatabaseUnavailable."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def newest(self) -> int:
        """Return the number of the newest entry, 0 if there is none."""
        async with self._database.begin() as connection:
            return await connection.scalar(select(func.max(feed.c.number))) or 0

    async def since(self, number: int, *, limit: int) -> Sequence[Entry]:
        """Return the next entries after a number, in their order."""
        query = select(feed.c.number, feed.c.body).where(feed.c.number > number).order_by(feed.c.number).limit(limit)
        async with self._database.begin() as connection:
            return [Entry(*row) for row in (await connection.execute(query)).all()]

    async def delivery(self, delivery_id: str) -> Delivery | None:
        """Return who took a delivery, None if nobody did yet, or if nobody said under which name."""
        query = (
            select(feed.c.body, feed.c.at_ms)
            .where(feed.c.delivery_id == delivery_id, feed.c.type == DELIVERED)
            .order_by(feed.c.number.desc())
            .limit(1)
        )
        async with self._database.begin() as connection:
            row = (await connection.execute(query)).one_or_none()
        if row is None:
            return None
        told = msgspec.json.decode(row.body, type=_Delivered)
        return Delivery(told.provider, told.provider_id, from_ms(row.at_ms)) if told.provider_id else None


async def add(connection: AsyncConnection, happenings: Sequence[Happening]) -> None:
    """Append what happened. What is there already stays; of notifications that are not the shop's, nothing is kept."""
    # Whoever appends has the turn until the end of the transaction: no smaller number appears after a larger one.
    await connection.execute(select(tables.owner.c.service).with_for_update())
    ours = await _ours(connection, happenings)
    rows = [
        {
            "key": each.key,
            "type": each.type,
            "notification_id": each.notification_id,
            "delivery_id": each.delivery_id,
            "at_ms": each.at_ms,
            "body": each.body,
        }
        for each in happenings
        if each.notification_id is None or each.notification_id in ours
    ]
    if rows:
        await connection.execute(upsert(connection, feed).on_conflict_do_nothing(), rows)


async def forget(connection: AsyncConnection, *, kept: int = KEPT) -> None:
    """Drop the oldest, so that no more than are to be kept remain."""
    newest: Any = select(func.max(feed.c.number)).scalar_subquery()
    await connection.execute(delete(feed).where(feed.c.number <= newest - kept))


async def _ours(connection: AsyncConnection, happenings: Sequence[Happening]) -> set[str]:
    """Return the notifications that are the shop's: an audit tells of everybody's."""
    named = {each.notification_id for each in happenings if each.notification_id is not None}
    new = {each.notification_id for each in happenings if each.notification_id and each.type == ACCEPTED}
    if not named - new:
        return new
    query = select(feed.c.notification_id).where(feed.c.notification_id.in_(named - new), feed.c.type == ACCEPTED)
    return new | set((await connection.scalars(query)).all())
