"""A unit of work: a change and the events that tell of it, in one transaction of the service's own database.

An event is first a row of the outbox. So a change that is not committed has told nobody, and one that is committed
will be told of, whatever is killed in between: see `outbox`.
"""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from examples.shop.kit import events, ids, tables
from examples.shop.kit.database import Database
from tocsin.clock import Clock, to_ms


class Unit:
    """One transaction. `now` is when it began."""

    def __init__(self, connection: AsyncConnection, *, now: datetime, randbytes: Callable[[int], bytes]) -> None:
        self.connection = connection
        self.now = now
        self.afterwards: list[Callable[[], None]] = []
        self.emitted = 0
        self._randbytes = randbytes

    @property
    def now_ms(self) -> int:
        """`now` as it is kept in a column."""
        return to_ms(self.now)

    def after_commit(self, callback: Callable[[], None]) -> None:
        """Have `callback` called once this is committed."""
        self.afterwards.append(callback)

    def new_id(self, prefix: str) -> str:
        """Return a new id of this moment."""
        return ids.new(prefix, now=self.now, randbytes=self._randbytes)

    async def emit(self, kind: str, *, subject: str, data: Mapping[str, Any]) -> None:
        """Have an event told once this is committed. Take the lock of what it is about first.

        The events of one subject are told in the order in which they were emitted, and that is why: the numbers of
        the outbox's rows are given when they are written, and so in the order of the locks. Raises ValueError if the
        data does not fit the schema.
        """
        if not events.fits(kind, data):
            raise ValueError(f"the data of {kind} does not fit its schema")
        row = {
            "event_id": ids.event_id(self._randbytes),
            "type": kind,
            "subject": subject,
            "body": msgspec.json.encode(data),
            "at_ms": self.now_ms,
        }
        await self.connection.execute(insert(tables.outbox), row)
        self.emitted += 1


class Units:
    """Opens the units of work of one service."""

    def __init__(self, database: Database, *, clock: Clock, randbytes: Callable[[int], bytes]) -> None:
        self.database = database
        self.clock = clock
        self._randbytes = randbytes
        self._listeners: list[Callable[[], None]] = []

    def on_emitted(self, listener: Callable[[], None]) -> None:
        """Have `listener` called after each commit that has something to tell."""
        self._listeners.append(listener)

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[Unit]:
        """Open a unit of work: commits on exit, rolls back on error. Raises DatabaseUnavailable."""
        async with self.database.begin() as connection:
            unit = Unit(connection, now=self.clock.now(), randbytes=self._randbytes)
            yield unit
        for listener in (*unit.afterwards, *(self._listeners if unit.emitted else ())):
            listener()
