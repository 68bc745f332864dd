"""Tells that a route is closed, probed or open again: in the log and the metrics at once, in the audit from a loop."""

import asyncio
from collections import deque
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from loguru import logger

from channels.route import Condition, RouteState, Standing
from tocsin import ids
from tocsin.clock import Clock, rfc3339
from tocsin.consume.stopping import Stop
from tocsin.delivery import TENANT
from tocsin.envelope import audit_record
from tocsin.errors import TocsinError
from tocsin.eventlog.port import Publisher
from tocsin.lifecycle import AuditEvent, Event
from tocsin.observe.metrics import Metrics

_PAUSE = timedelta(seconds=1)
# The audit lags behind by no more than this; what is older is in the log.
_MOST_UNTOLD = 1000
_SHARES = {RouteState.OPEN: 1.0, RouteState.PROBING: 0.5, RouteState.CLOSED: 0.0}


class RouteChanges:
    """The changes of all routes of this process. A `Loop`: stopped after the workers, it writes what is left."""

    name = "channels.routes"

    def __init__(self, *, publisher: Publisher, clock: Clock, metrics: Metrics) -> None:
        self._publisher = publisher
        self._clock = clock
        self._metrics = metrics
        self._stop = Stop(clock)
        self._untold: deque[AuditEvent] = deque(maxlen=_MOST_UNTOLD)
        self._something = asyncio.Event()

    @property
    def untold(self) -> int:
        """How many changes the audit has not been told yet."""
        return len(self._untold)

    def watch(self, channel: str, provider: str) -> None:
        """Have a metric of a route from the start, before anything changes."""
        self._metrics.route_state(channel, provider).set(_SHARES[RouteState.OPEN])

    def tell(self, channel: str, provider: str, condition: Condition) -> None:
        """Tell a change. Does not wait."""
        self._metrics.route_state(channel, provider).set(_SHARES[condition.state])
        _log(channel, provider, condition)
        data = {"channel": channel, "provider": provider, "state": condition.state, "why": condition.why}
        self._told(Event.ROUTE_CHANGED, data, channel, provider, condition.state)

    def shifted(self, channel: str, provider: str, standing: Standing) -> None:
        """Tell that a provider gets a greater or smaller part of its share. Does not wait."""
        health = round(standing.health, 2)
        logger.info("route_shifted", channel=channel, provider=provider, health=health, why=standing.why)
        data = {"channel": channel, "provider": provider, "health": health, "why": standing.why}
        self._told(Event.ROUTE_SHIFTED, data, channel, provider, str(health))

    def rotated(self, channel: str, providers: Sequence[str], settings: Sequence[str]) -> None:
        """Tell that these providers were made anew, since the files of these settings have changed. Does not wait."""
        logger.info("secrets_rotated", channel=channel, providers=providers, settings=settings)
        data = {"channel": channel, "providers": list(providers), "settings": list(settings)}
        self._told(Event.ROUTE_SECRETS_ROTATED, data, channel, *settings)

    async def run(self) -> None:
        """See `Loop`."""
        while not self._stop.requested:
            self._something.clear()
            if self._untold and not await self._write():
                await self._stop.pause(_PAUSE)
            elif not self._untold:
                await self._something.wait()
        await self._write()

    def stop(self) -> None:
        """See `Loop`."""
        self._stop.request()
        self._something.set()

    def _told(self, kind: Event, data: dict[str, Any], *identity: str) -> None:
        now = self._clock.now()
        event = AuditEvent(
            id=ids.hashed(ids.EVENT, kind, *identity, rfc3339(now)), type=kind, time=now, tenant=TENANT, data=data
        )
        self._untold.append(event)
        self._something.set()

    async def _write(self) -> bool:
        """Write what the audit has not been told; return whether it is durable."""
        events = tuple(self._untold)
        try:
            await self._publisher.write([audit_record(event) for event in events])
        except TocsinError as error:
            logger.warning("route_changes_postponed", error=str(error))
            return False
        told = {event.id for event in events}
        while self._untold and self._untold[0].id in told:
            self._untold.popleft()
        return True


def _log(channel: str, provider: str, condition: Condition) -> None:
    told = {"channel": channel, "provider": provider, "why": condition.why}
    if condition.misconfigured and condition.state is RouteState.CLOSED:
        logger.error("route_misconfigured", **told)
    elif condition.state is RouteState.CLOSED:
        logger.warning("route_closed", **told)
    else:
        logger.info("route_probed" if condition.state is RouteState.PROBING else "route_opened", **told)
