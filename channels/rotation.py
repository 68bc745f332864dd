"""The loop that looks whether secrets have changed in their files, and puts them to use without a restart."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from loguru import logger

from channels.changes import RouteChanges
from channels.provider import Carrier
from channels.rotating import RotatingCarrier
from channels.routes import Routes
from tocsin.clock import Clock
from tocsin.consume.stopping import Stop
from tocsin.errors import SettingsError
from tocsin.observe.metrics import Metrics
from tocsin.settings.secret_files import FileWatch

# A change is used once two looks have found it alike.
_EVERY = timedelta(seconds=2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotatable:
    """A channel whose settings name files. `make` reads them anew; it raises SettingsError if they are of no use."""

    watch: FileWatch
    make: Callable[[], Carrier]
    carrier: RotatingCarrier
    routes: Routes


class Rotation:
    """A `consume.loop.Loop`. Sending goes on: what has begun with the old secrets, all that follows with the new ones.

    Files that are of no use change nothing but what is told: the old secrets stay until the files are mended.
    """

    name = "channels.secrets"

    def __init__(self, *, clock: Clock, changes: RouteChanges, metrics: Metrics) -> None:
        self._channels: dict[str, Rotatable] = {}
        self._changes = changes
        self._metrics = metrics
        self._stop = Stop(clock)
        # The keys of a channel whose files have changed and are not in use: all of them wait for the one that is wrong.
        self._refused: dict[str, tuple[str, ...]] = {}

    def watch(self, channel: str, rotatable: Rotatable) -> None:
        """Look after the secrets of a channel."""
        self._channels[channel] = rotatable
        self._metrics.secrets_refused(channel).set(0)

    def refused(self, channel: str) -> str:
        """Return why the newest secrets of a channel are not in use, in words without a secret; empty if they are."""
        keys = ", ".join(self._refused.get(channel, ()))
        return f"{keys}: changed, and cannot be used (see the log); the old secrets hold" if keys else ""

    def stop(self) -> None:
        """See the contract."""
        self._stop.request()

    async def run(self) -> None:
        """See the contract."""
        await self._stop.repeat(self.look, every=_EVERY)

    async def look(self, *, at_once: bool = False) -> None:
        """Look at the files once; `at_once` uses them as they are now, even if they are still being written."""
        for channel, each in self._channels.items():
            # The folder may be at the other end of a network.
            if changed := await asyncio.to_thread(each.watch.changed, at_once=at_once):
                self._rotate(channel, each, changed)
            await each.carrier.close_retired()

    def _rotate(self, channel: str, each: Rotatable, found: tuple[str, ...]) -> None:
        changed = tuple(sorted({*self._refused.get(channel, ()), *found}))
        try:
            fresh = each.make()
            names = _concerned(changed, [provider.name for provider in fresh.providers])
            each.carrier.exchange(fresh, names)
        except SettingsError as error:
            self._refused[channel] = changed
            self._metrics.secrets_refused(channel).set(1)
            logger.error("secrets_refused", channel=channel, changed=changed, error=str(error))
            return
        self._refused.pop(channel, None)
        self._metrics.secrets_refused(channel).set(0)
        each.routes.renew(names)
        self._changes.rotated(channel, names, changed)


def _concerned(changed: Sequence[str], providers: Sequence[str]) -> Sequence[str]:
    """Return the providers whose sections hold the changed keys; all, where a key is of the channel's own section."""
    found = {key.partition(".")[0] for key in changed}
    return sorted(found) if found <= set(providers) else providers
