"""A whole gateway in the test's process: real HTTP, real SMTP to the simulator, a clock that may run faster."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from simulators.smtp import builtin
from simulators.smtp.faults import Faults
from simulators.smtp.mailbox import Mailbox
from simulators.smtp.server import listening
from tests.support.backends import Backend, Embedded
from tocsin.lifecycle import State
from tocsin.runtime import gateway
from tocsin.runtime.clock import SystemClock
from tocsin.runtime.discover import setting_sections
from tocsin.settings.load import load

NOTIFICATION: dict[str, Any] = {
    "recipient": {"id": "cust-42", "email": "ada@example.test", "locale": "de"},
    "channels": ["email"],
    "template": "order-confirmation",
    "data": {"order": "1001", "items": [{"name": "keyboard", "quantity": 1}]},
    "category": "orders",
    "metadata": {"order_id": "1001"},
}


class ScaledTimer:
    """A callback of a scaled clock."""

    def __init__(self, handle: asyncio.TimerHandle) -> None:
        self._handle = handle

    def cancel(self) -> None:
        """Forget the callback."""
        self._handle.cancel()


class ScaledClock:
    """Fulfils `tocsin.clock.Clock`: starts now, and runs `factor` times as fast."""

    def __init__(self, factor: float) -> None:
        self._factor = factor
        self._start = datetime.now(UTC)
        self._origin = time.monotonic()

    def now(self) -> datetime:
        """The time of day on this clock."""
        return self._start + timedelta(seconds=self.monotonic())

    def monotonic(self) -> float:
        """Seconds on this clock."""
        return (time.monotonic() - self._origin) * self._factor

    def call_at(self, when: datetime, callback: Callable[[], None]) -> ScaledTimer:
        """Call back when this clock says so."""
        delay = max(0.0, (when - self.now()).total_seconds() / self._factor)
        # A little later rather than a little earlier: rounding must not let anything go before its time.
        return ScaledTimer(asyncio.get_running_loop().call_later(delay + 0.0005, callback))

    async def sleep(self, delay: timedelta) -> None:
        """Wait by this clock."""
        await asyncio.sleep(delay.total_seconds() / self._factor)


@dataclass(frozen=True, slots=True, kw_only=True)
class Gateway:
    """A gateway that serves, with a key of all scopes, and the mailbox that its mail goes to."""

    client: httpx.AsyncClient
    mailbox: Mailbox
    faults: Faults
    key: str

    async def submit(self, document: dict[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
        """Submit a notification that is accepted; return the answer."""
        response = await self.client.post("/v1/notifications", json={**(document or NOTIFICATION), **changes})
        assert response.status_code == 202, response.text
        answer: dict[str, Any] = response.json()
        return answer

    async def until(self, path: str, condition: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Return what a path answers once it is as wished. What the audit does not know yet is waited for as well."""

        async def look() -> dict[str, Any]:
            while True:
                response = await self.client.get(path)
                assert response.status_code in {200, 404}, response.text
                found: dict[str, Any] = response.json()
                if response.status_code == 200 and condition(found):
                    return found

        return await asyncio.wait_for(look(), timeout=60)

    async def ended(self, notification_id: str) -> dict[str, Any]:
        """Return what the audit tells once the notification has ended."""
        path = f"/v1/notifications/{notification_id}"
        return await self.until(path, lambda found: State(found["state"]).terminal)


@asynccontextmanager
async def running(
    directory: Path, *, speed: float = 1, backend: Backend | None = None, **sections: dict[str, Any]
) -> AsyncIterator[Gateway]:
    """Run a gateway on a data directory, or on what the backend has. `sections` are further settings.

    `speed` is how much faster its clock runs, where the backend lets it.
    """
    backend = backend or Embedded()
    clock = SystemClock() if speed == 1 or not backend.hurries else ScaledClock(speed)
    mailbox, faults = Mailbox(now=clock.now), Faults(builtin.faults())
    async with listening(mailbox=mailbox, faults=faults, clock=clock, host="127.0.0.1", port=0) as port:
        overrides: dict[str, dict[str, Any]] = {
            **await backend.settings(directory),
            "http": {"port": 0},
            "email": {"host": "127.0.0.1", "port": port, "tls": "none"},
        }
        for name, values in sections.items():
            overrides.setdefault(name, {}).update(values)
        settings = load(setting_sections(), path=None, environ={}, overrides=overrides)
        async with gateway.gateway(settings, demo=True, clock=clock) as (started, failed):
            assert started.key is not None
            headers = {"Authorization": f"Bearer {started.key}"}
            async with httpx.AsyncClient(base_url=started.url, headers=headers, timeout=30) as client:
                yield Gateway(client=client, mailbox=mailbox, faults=faults, key=started.key)
            assert not failed.is_set()
