"""The alarm for what did not end: every life must be terminal soon after its expiry, or something was lost."""

from datetime import timedelta

from loguru import logger
from sqlalchemy import func, literal_column, select

from audit.tables import lives
from tocsin.clock import Clock, to_ms
from tocsin.consume.stopping import Stop
from tocsin.errors import StoreUnavailable
from tocsin.observe.metrics import Metrics
from tocsin.store.engine import Store

_MAX_TOLD = 10


class Reconciler:
    """Counts lives that are not terminal `grace` after their expiry, every `interval`. Fulfils `Loop`."""

    def __init__(self, *, store: Store, metrics: Metrics, clock: Clock, interval: timedelta, grace: timedelta) -> None:
        self._store = store
        self._overdue = metrics.overdue_deliveries
        self._clock = clock
        self._interval = interval
        self._grace = grace
        self._stop = Stop(clock)

    @property
    def name(self) -> str:
        """See `Loop`."""
        return "audit.reconcile"

    def stop(self) -> None:
        """See `Loop`."""
        self._stop.request()

    async def run(self) -> None:
        """See `Loop`."""
        await self._stop.repeat(self._reconcile, every=self._interval)

    async def _reconcile(self) -> None:
        try:
            await self.reconcile()
        except StoreUnavailable as error:
            logger.warning("reconcile_failed", error=str(error))

    async def reconcile(self) -> None:
        """Count once, set the gauge, and raise the alarm where there is anything. May raise StoreUnavailable."""
        count, told = await self._find()
        self._overdue.set(count)
        if count:
            logger.error("deliveries_overdue", count=count, deliveries=told)

    async def _find(self) -> tuple[int, list[str]]:
        # In the words of the index that holds nothing but what has not ended.
        overdue = (
            literal_column("lives.rank") < literal_column("2"),
            lives.c.expires_at < to_ms(self._clock.now() - self._grace),
        )
        async with self._store.read() as connection:
            count = await connection.scalar(select(func.count()).select_from(lives).where(*overdue))
            if not count:
                return 0, []
            oldest = select(lives.c.delivery_id).where(*overdue).order_by(lives.c.expires_at).limit(_MAX_TOLD)
            return count, list(await connection.scalars(oldest))
