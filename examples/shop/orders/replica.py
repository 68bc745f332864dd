"""What orders knows of the customers: a replica from their events, and the guests of its own."""

import asyncio
from datetime import timedelta

import msgspec
from sqlalchemy import select

from examples.shop.kit import ids
from examples.shop.kit.database import Database, upsert
from examples.shop.kit.events import Event
from examples.shop.kit.facts import Customer
from examples.shop.kit.inbox import Result
from examples.shop.kit.unit import Unit
from examples.shop.orders.tables import customers
from tocsin.clock import Clock

TYPES = frozenset({"CustomerCreated", "CustomerUpdated", "CustomerDeleted"})
_GUEST = 0
_YOUNG = timedelta(seconds=10)
_PATIENCE = timedelta(seconds=2)
_LOOK_EVERY = timedelta(milliseconds=100)


class Left(Exception):
    """The customer was known, and has left."""


class Replica:
    """The customers as orders knows them."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._changed = asyncio.Event()

    async def take(self, unit: Unit, event: Event) -> Result:
        """Take a customer's event in, unless a newer one was taken before."""
        deleted = event.type == "CustomerDeleted"
        row = {
            "id": event.subject,
            "version": event.data["version"],
            "deleted": deleted,
            # Of one who has left, only that is kept.
            "details": None if deleted else msgspec.json.encode(event.data["customer"]),
        }
        statement = upsert(unit.connection, customers).values(row)
        newer = statement.on_conflict_do_update(
            index_elements=["id"],
            set_={name: statement.excluded[name] for name in ("version", "deleted", "details")},
            where=statement.excluded.version > customers.c.version,
        )
        unit.after_commit(self._changed.set)
        return Result.APPLIED if (await unit.connection.execute(newer)).rowcount else Result.IGNORED

    async def awaited(self, customer_id: str) -> None:
        """Return once a customer is known, at once unless they joined a moment ago: then their event is on its way."""
        now = self._clock.now()
        made = ids.made_at(customer_id)
        if made is None or not timedelta() <= now - made < _YOUNG:
            return
        until = now + _PATIENCE
        while not await self._known(customer_id) and self._clock.now() < until:
            self._changed.clear()
            timer = self._clock.call_at(self._clock.now() + _LOOK_EVERY, self._changed.set)
            try:
                await self._changed.wait()
            finally:
                timer.cancel()

    async def _known(self, customer_id: str) -> bool:
        async with self._database.begin() as connection:
            return await connection.scalar(select(customers.c.id).where(customers.c.id == customer_id)) is not None


async def found(unit: Unit, customer_id: str) -> Customer | None:
    """Return a customer or a guest as they are now, None if nobody is known by this id. Raises Left."""
    row = (await unit.connection.execute(select(customers).where(customers.c.id == customer_id))).one_or_none()
    if row is None:
        return None
    if row.deleted:
        raise Left
    return msgspec.json.decode(row.details, type=Customer)


async def welcome(unit: Unit, guest: Customer) -> None:
    """Remember a guest, so that they can be found. Whoever has the id by now keeps it."""
    row = {"id": guest.id, "version": _GUEST, "deleted": False, "details": msgspec.json.encode(guest)}
    await unit.connection.execute(upsert(unit.connection, customers).values(row).on_conflict_do_nothing())
