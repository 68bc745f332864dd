"""From the outbox to the log: in order, at least once, each event with the id that it got when it was written.

A crash between the log's answer and the mark tells an event again; whoever reads it knows it by its id.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import msgspec
from loguru import logger
from sqlalchemy import Row, delete, select, update

from examples.shop.kit import events, tables
from examples.shop.kit.database import Database, DatabaseUnavailable
from examples.shop.kit.metrics import ShopMetrics
from examples.shop.kit.patience import Patience
from tocsin.clock import Clock, from_ms, to_ms
from tocsin.errors import LogError
from tocsin.eventlog.port import Publisher

_LIMIT = 200
# Rows that another copy wrote before it died: nobody here was woken for them.
_LOOK_EVERY = timedelta(seconds=5)
_SWEEP_EVERY_SECONDS = 3600
_KEPT = timedelta(days=1)


class Relay:
    """One service's loop from its outbox to its topic."""

    def __init__(
        self, *, service: str, topic: str, database: Database, publisher: Publisher, clock: Clock, metrics: ShopMetrics
    ) -> None:
        self._service = service
        self._source = events.source(service)
        self._topic = topic
        self._database = database
        self._publisher = publisher
        self._clock = clock
        self._metrics = metrics
        self._patience = Patience(clock, name=self.name)
        self._swept = clock.monotonic()

    @property
    def name(self) -> str:
        """See `Loop`."""
        return f"shop-{self._service}-outbox"

    @property
    def healthy(self) -> bool:
        """See `Loop`."""
        return not self._patience.detail

    @property
    def detail(self) -> str:
        """See `Loop`."""
        return self._patience.detail

    def wake(self) -> None:
        """Look at once: something was emitted."""
        self._patience.wake()

    def stop(self) -> None:
        """See `Loop`. What is not told by then is told with the next start."""
        self._patience.stop()

    async def run(self) -> None:
        """See `Loop`."""
        stopping = False
        while not stopping:
            # Once more after the wish to stop: what was committed before it is told before it ends.
            stopping = self._patience.stopping
            try:
                while await self.publish():
                    pass
                await self._sweep()
                self._patience.worked()
                if not stopping:
                    await self._patience.wait(_LOOK_EVERY)
            except (LogError, DatabaseUnavailable) as error:
                await self._patience.failed(error)

    async def publish(self) -> int:
        """Publish what waits, up to a limit, and mark it; return how many. Raises LogError, DatabaseUnavailable.

        Where several copies share the database they take turns, or one could overtake the other with an order's later
        event.
        """
        if not self._database.shared:
            return await self._publish()
        async with self._database.begin() as turn:
            await turn.execute(select(tables.owner).with_for_update())
            return await self._publish()

    async def _publish(self) -> int:
        outbox = tables.outbox
        query = select(outbox).where(outbox.c.published_at_ms.is_(None)).order_by(outbox.c.number).limit(_LIMIT)
        async with self._database.begin() as connection:
            rows = (await connection.execute(query)).all()
        self._metrics.outbox.labels(self._service).set(len(rows))
        if rows:
            await self._publisher.write([self._record(row) for row in rows])
            await self._mark(rows)
        return len(rows)

    def _record(self, row: Row[Any]) -> Any:
        event = events.Event(
            id=row.event_id,
            type=row.type,
            source=self._source,
            subject=row.subject,
            time=from_ms(row.at_ms),
            data=msgspec.json.decode(row.body),
        )
        return events.record(event, topic=self._topic)

    async def _mark(self, rows: Sequence[Row[Any]]) -> None:
        outbox = tables.outbox
        told = update(outbox).where(outbox.c.number.in_([row.number for row in rows]))
        async with self._database.begin() as connection:
            await connection.execute(told.values(published_at_ms=to_ms(self._clock.now())))
        for row in rows:
            self._metrics.published.labels(self._service, row.type).inc()

    async def _sweep(self) -> None:
        """Now and then, delete what was told long ago."""
        if self._clock.monotonic() - self._swept < _SWEEP_EVERY_SECONDS:
            return
        self._swept = self._clock.monotonic()
        before = to_ms(self._clock.now() - _KEPT)
        async with self._database.begin() as connection:
            gone = await connection.execute(delete(tables.outbox).where(tables.outbox.c.published_at_ms < before))
        logger.debug("shop_outbox_swept", service=self._service, events=gone.rowcount)
