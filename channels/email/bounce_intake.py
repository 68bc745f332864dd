"""The way in for mail that came back, however it is brought."""

from collections.abc import Callable

from channels.email import codes
from channels.email.bounces import Bounces
from channels.email.bounces_settings import BOUNCES, BouncesSettings, return_paths
from channels.email.receipts import Result
from channels.email.receiving import Receiving
from channels.email.reference import Reference
from tocsin.clock import Clock
from tocsin.settings import secret_files
from tocsin.settings.fresh import Fresh
from tocsin.settings.values import Settings


class BounceIntake:
    """Takes messages that came back. `bounces` returns what reads them: it is made anew with a new secret."""

    def __init__(self, bounces: Callable[[], Bounces], receiving: Receiving, *, clock: Clock) -> None:
        self._bounces = bounces
        self._receiving = receiving
        self._clock = clock

    def reference(self, recipient: str) -> Reference | None:
        """Return whose return path this is, None if it is none of ours."""
        return self._bounces().reference(recipient)

    async def take(self, raw: bytes, *, arrived_for: Reference | None = None) -> Result:
        """Take a message; return what it was, once that is durable. May raise LogError: then it is to come again."""
        found = self._bounces().read(raw, arrived_for=arrived_for, now=self._clock.now())
        return await self._receiving.take(found, way="mail")


def intake(settings: Settings, receiving: Receiving, clock: Clock) -> BounceIntake | None:
    """Return the intake that the settings ask for, None without a domain of return paths. Raises SettingsError."""
    ours = settings.section(BOUNCES, BouncesSettings)
    paths, table = return_paths(ours), codes.load()
    if paths is None:
        return None

    def make(before: Bounces | None) -> Bounces:
        # What went out before a new secret comes back with a token of the old one.
        retired = () if before is None else before.paths.references.secrets
        return Bounces(return_paths(ours, retired=retired) or paths, table)

    fresh = Fresh(make, secret_files.named(settings, {BOUNCES: BouncesSettings}))
    return BounceIntake(fresh.get, receiving, clock=clock)
