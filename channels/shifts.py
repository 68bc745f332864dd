"""Watches how well providers do that share a channel's deliveries, and tells when that has shifted their shares."""

from collections.abc import Callable, Mapping
from datetime import timedelta

from channels.route import Standing
from channels.routes import Routes
from tocsin.clock import Clock
from tocsin.consume.stopping import Stop

_EVERY = timedelta(seconds=1)
# Less than that is not worth an event: one that has lost all of its share, and heals, makes some five.
_STEP = 0.2
_WELL = Standing(health=1.0, why="it does well")
_ALMOST = 0.99

OnShift = Callable[[str, str, Standing], None]


class Shifts:
    """A `consume.loop.Loop`. `on_shift` is told a channel, a provider, and how it stands; it must not wait."""

    name = "channels.shifts"

    def __init__(self, channels: Mapping[str, Routes], *, clock: Clock, on_shift: OnShift) -> None:
        self._channels = channels
        self._on_shift = on_shift
        self._stop = Stop(clock)
        self._told: dict[tuple[str, str], float] = {}

    def stop(self) -> None:
        """See the contract."""
        self._stop.request()

    async def run(self) -> None:
        """See the contract."""
        while not self._stop.requested:
            self.look()
            await self._stop.pause(_EVERY)

    def look(self) -> None:
        """Tell what has shifted since it was told last."""
        for channel, routes in self._channels.items():
            for provider, standing in routes.standings.items():
                told = self._told.get((channel, provider), 1.0)
                healed = standing.health >= _ALMOST > told
                if healed or abs(standing.health - told) >= _STEP:
                    now = _WELL if healed else standing
                    self._told[channel, provider] = now.health
                    self._on_shift(channel, provider, now)
