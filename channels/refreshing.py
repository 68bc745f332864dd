"""The loop that keeps the suppressed addresses in memory as new as the store."""

from datetime import timedelta

from loguru import logger

from tocsin.clock import Clock
from tocsin.consume.stopping import Stop
from tocsin.errors import StoreUnavailable
from tocsin.store.suppressed import SuppressedAddresses

_EVERY = timedelta(seconds=1)


class Refreshing:
    """A `consume.loop.Loop`: loads the addresses when it starts, and looks for new ones every second."""

    name = "channels.suppressed"

    def __init__(self, suppressed: SuppressedAddresses, *, clock: Clock) -> None:
        self._suppressed = suppressed
        self._stop = Stop(clock)
        self._failure = ""

    @property
    def healthy(self) -> bool:
        """Whether the addresses are loaded, and could be read the last time."""
        return not self.detail

    @property
    def detail(self) -> str:
        """Why it is not healthy, else empty."""
        return self._failure or ("" if self._suppressed.loaded else "the suppressed addresses are not loaded yet")

    def stop(self) -> None:
        """See the contract."""
        self._stop.request()

    async def run(self) -> None:
        """See the contract."""
        await self._stop.repeat(self._once, every=_EVERY)

    async def _once(self) -> None:
        try:
            await self._suppressed.refresh()
        except StoreUnavailable as error:
            if not self._failure:
                logger.warning("suppressed_addresses_not_read", error=str(error))
            self._failure = str(error)
        else:
            self._failure = ""
