"""The packing bench: parcels that are ready are sent, by whichever copy of the service comes first."""

from datetime import timedelta

from sqlalchemy import func, select

from examples.shop.kit import facts
from examples.shop.kit.database import DatabaseUnavailable
from examples.shop.kit.patience import Patience
from examples.shop.kit.unit import Units
from examples.shop.shipping.domain import Status
from examples.shop.shipping.reaction import send
from examples.shop.shipping.tables import shipments
from tocsin.clock import from_ms

_LIMIT = 100
_LOOK_EVERY = timedelta(seconds=5)


class Packing:
    """The loop of the bench."""

    def __init__(self, units: Units) -> None:
        self._units = units
        self._patience = Patience(units.clock, name=self.name)

    @property
    def name(self) -> str:
        """See `Loop`."""
        return "shop-shipping-packing"

    @property
    def healthy(self) -> bool:
        """See `Loop`."""
        return not self._patience.detail

    @property
    def detail(self) -> str:
        """See `Loop`."""
        return self._patience.detail

    def wake(self) -> None:
        """Look at once: there is a new parcel to pack."""
        self._patience.wake()

    def stop(self) -> None:
        """See `Loop`. Parcels that are not ready by then are sent after the next start."""
        self._patience.stop()

    async def run(self) -> None:
        """See `Loop`."""
        while not self._patience.stopping:
            try:
                while await self.send():
                    pass
                wait = await self._until_next()
                self._patience.worked()
                await self._patience.wait(wait)
            except DatabaseUnavailable as error:
                await self._patience.failed(error)

    async def send(self) -> int:
        """Send what is ready, up to a limit; return how many. Raises DatabaseUnavailable."""
        async with self._units.begin() as unit:
            ready = (
                select(shipments.c.facts)
                .where(shipments.c.status == Status.PACKING, shipments.c.due_at_ms <= unit.now_ms)
                .order_by(shipments.c.order_id)
                .limit(_LIMIT)
                .with_for_update(skip_locked=True)
            )
            packed = (await unit.connection.execute(ready)).scalars().all()
            for kept in packed:
                await send(unit, facts.decode(kept))
        return len(packed)

    async def _until_next(self) -> timedelta:
        """Return how long to wait for the next parcel."""
        query = select(func.min(shipments.c.due_at_ms)).where(shipments.c.status == Status.PACKING)
        async with self._units.database.begin() as connection:
            due = await connection.scalar(query)
        if due is None:
            return _LOOK_EVERY
        return min(max(from_ms(due) - self._units.clock.now(), timedelta()), _LOOK_EVERY)
