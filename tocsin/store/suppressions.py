"""Suppressed addresses: nothing is sent to them, because they bounced, complained, opted out, or somebody said so.

There is one row for a tenant, channel and address, and one more for each category that is held back on its own.
Whatever is told of a row comes in whatever order: what was told before the row's last word changes nothing, so an old
bounce that is read again does not undo a lift; of what comes later, the suppression that lasts longer holds.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal, get_args

from sqlalchemy import ColumnElement, Row, and_, delete, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from tocsin import ids
from tocsin.clock import Clock, from_ms, to_ms
from tocsin.store import upsert
from tocsin.store.engine import Store
from tocsin.store.tables import suppressions
from tocsin.store.texts import storable

Reason = Literal["hard_bounce", "complaint", "opt_out", "dead_token", "unsubscribe", "manual"]
REASONS: tuple[Reason, ...] = get_args(Reason)

_PREFIX = "sup_"
# How long it is remembered that an address was lifted: longer than the log keeps what could bring it back.
_REMEMBERED = timedelta(days=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """That an address is to be suppressed: since when, until when (None: for good), and who says so.

    With a category, notifications of this category alone are held back; without one, all of them.
    """

    tenant: str
    channel: str
    address: str
    reason: Reason
    source: str
    at: datetime
    expires_at: datetime | None = None
    category: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Suppression:
    """A row: an address that is suppressed, or was until it was lifted."""

    id: str
    tenant: str
    channel: str
    address: str
    reason: Reason
    source: str
    added_at: datetime
    expires_at: datetime | None = None
    lifted_at: datetime | None = None
    category: str | None = None


def identity(tenant: str, channel: str, address: str, category: str | None = None) -> str:
    """Return the id of an address's row, or of that for one category.

    Upper and lower case of an address are the same: people write one mailbox in both.
    """
    return ids.hashed(_PREFIX, tenant, channel, address.casefold(), *(() if category is None else (category,)))


class Suppressions:
    """The suppressed addresses of all tenants. Every method may raise StoreUnavailable."""

    def __init__(self, *, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def add(self, told: Told) -> tuple[Suppression, bool]:
        """Suppress an address. Returns its row, and whether that is new or changed."""
        async with self._store.write() as connection:
            statement = _adding(connection).returning(*suppressions.c)
            row = (await connection.execute(statement, _values(told, self._clock.now()))).one_or_none()
            if row is not None:
                return of_row(row), True
            found = select(suppressions).where(suppressions.c.id == _identity(told))
            return of_row((await connection.execute(found)).one()), False

    async def lift(self, suppression_id: str, *, tenant: str) -> Suppression | None:
        """Use an address again. Returns its row, None if the tenant has none. The first lift's time stays."""
        columns = suppressions.c
        async with self._store.write() as connection:
            now = self._clock.now()
            change = (
                update(suppressions)
                .where(columns.id == suppression_id, columns.tenant == tenant)
                .values(lifted_at=func.coalesce(columns.lifted_at, to_ms(now)), changed_at=to_ms(now))
            )
            row = (await connection.execute(change.returning(*columns))).one_or_none()
            await _forget(connection, before=now - _REMEMBERED)
        return None if row is None else of_row(row)

    async def lift_of(self, told: Told) -> bool:
        """Use an address again that is suppressed for this reason, and was so at this time already.

        Returns whether it was: what was suppressed later, or for another reason, stays. What was told by then and is
        still on its way here changes nothing when it comes.
        """
        columns = suppressions.c
        async with self._store.write() as connection:
            now = self._clock.now()
            change = (
                update(suppressions)
                .where(columns.id == _identity(told), columns.reason == told.reason)
                .where(columns.added_at <= to_ms(told.at), *holding(now))
                .values(lifted_at=to_ms(now), changed_at=to_ms(now))
            )
            row = (await connection.execute(change.returning(columns.id))).one_or_none()
            if row is None:
                lifted = _values(told, now) | {"lifted_at": to_ms(told.at)}
                await connection.execute(_lifting(connection), lifted)
            await _forget(connection, before=now - _REMEMBERED)
        return row is not None

    async def reason(self, tenant: str, channel: str, address: str, category: str | None = None) -> Reason | None:
        """Return why nothing of a category may be sent to an address now, None if it may.

        What holds all categories back comes first; without a category only that is asked for.
        """
        columns = suppressions.c
        query = (
            select(columns.reason)
            .where(of_addresses([identity(tenant, channel, address)]), *holding(self._clock.now()))
            .where(or_(columns.category.is_(None), columns.category == category))
            .order_by(columns.category.is_not(None))
            .limit(1)
        )
        async with self._store.read() as connection:
            found: Reason | None = await connection.scalar(query)
        return found


async def keep(connection: AsyncConnection, told: Sequence[Told], *, now: datetime) -> None:
    """Suppress addresses in the caller's transaction. What is told again changes nothing."""
    # In the order of their keys, since other processes may write the same ones; of one row, the earliest first.
    rows = sorted((_values(each, now) for each in told), key=lambda row: (row["id"], row["added_at"]))
    if rows:
        await connection.execute(_adding(connection), rows)


def holding(now: datetime) -> tuple[ColumnElement[bool], ...]:
    """Return the conditions of a row that suppresses its address."""
    columns = suppressions.c
    return columns.lifted_at.is_(None), or_(columns.expires_at.is_(None), columns.expires_at > to_ms(now))


def of_addresses(address_ids: Sequence[str]) -> ColumnElement[bool]:
    """Return the condition of the rows of these addresses, also of one that a process of before has written."""
    columns = suppressions.c
    return or_(columns.id.in_(address_ids), columns.address_id.in_(address_ids))


def of_row(row: Row[Any]) -> Suppression:
    """Return a row of the table."""
    return Suppression(
        id=row.id,
        tenant=row.tenant,
        channel=row.channel,
        address=row.address,
        reason=row.reason,
        source=row.source,
        added_at=from_ms(row.added_at),
        expires_at=None if row.expires_at is None else from_ms(row.expires_at),
        lifted_at=None if row.lifted_at is None else from_ms(row.lifted_at),
        category=row.category,
    )


def _identity(told: Told) -> str:
    return identity(told.tenant, told.channel, told.address, told.category)


def _adding(connection: AsyncConnection) -> Any:
    statement = upsert.insert(connection, suppressions)
    kept, told = suppressions.c, statement.excluded
    later = told.added_at >= func.coalesce(kept.lifted_at, kept.added_at)
    over = or_(kept.lifted_at.is_not(None), kept.expires_at <= told.changed_at)
    longer = and_(kept.expires_at.is_not(None), or_(told.expires_at.is_(None), told.expires_at > kept.expires_at))
    changes = ("address", "reason", "source", "added_at", "expires_at", "lifted_at", "changed_at")
    return statement.on_conflict_do_update(
        index_elements=["id"], set_={name: told[name] for name in changes}, where=and_(later, or_(over, longer))
    )


def _lifting(connection: AsyncConnection) -> Any:
    """Return what remembers a lift of an address that nothing holds back: no row may tell of it yet."""
    statement = upsert.insert(connection, suppressions)
    kept, told = suppressions.c, statement.excluded
    over = or_(kept.lifted_at < told.lifted_at, kept.expires_at <= told.changed_at)
    return statement.on_conflict_do_update(
        index_elements=["id"],
        set_={name: told[name] for name in ("lifted_at", "changed_at")},
        where=and_(kept.added_at <= told.added_at, over),
    )


def _values(told: Told, now: datetime) -> dict[str, Any]:
    return {
        "id": _identity(told),
        "tenant": told.tenant,
        "channel": told.channel,
        "address": storable(told.address),
        "reason": told.reason,
        "source": storable(told.source),
        "added_at": to_ms(told.at),
        "expires_at": None if told.expires_at is None else to_ms(told.expires_at),
        "lifted_at": None,
        "changed_at": to_ms(now),
        "category": told.category,
        "address_id": identity(told.tenant, told.channel, told.address),
    }


async def _forget(connection: AsyncConnection, *, before: datetime) -> None:
    columns = suppressions.c
    over = or_(columns.lifted_at < to_ms(before), columns.expires_at < to_ms(before))
    await connection.execute(delete(suppressions).where(over))
