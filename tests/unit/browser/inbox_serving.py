"""The inbox's routes on a real server, without a gateway around them."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import httpx

from channels.browser.inbox import Inboxes
from channels.browser.inbox_api import InboxApi
from channels.browser.inbox_hub import Caps, Hub
from channels.browser.inbox_key import TicketKey
from channels.browser.inbox_message import Letter, Owner
from channels.browser.inbox_receipts import ReadReceipts
from channels.browser.inbox_tickets import Ticket
from channels.browser.settings import InboxSettings
from tests.support.clock import ManualClock
from tests.unit.browser.letters import ADA
from tests.unit.web.support import Keys
from tocsin.errors import LogUnavailable
from tocsin.observe.metrics import Metrics
from tocsin.record import Record
from tocsin.runtime import server
from tocsin.store.engine import Store
from tocsin.store.keys import Scope
from tocsin.web.app import create_app
from tocsin.web.auth import Authenticator

_CAPS = Caps(of_inbox=2, of_process=3)


class Publisher:
    """Keeps what is written, unless the log is away."""

    def __init__(self) -> None:
        self.written: list[Record] = []
        self.away = False

    async def write(self, records: Sequence[Record]) -> None:
        """See `eventlog.port.Publisher`."""
        if self.away:
            raise LogUnavailable("away")
        self.written.extend(records)


@dataclass(frozen=True, slots=True, kw_only=True)
class Serving:
    """A server, a client of it without a key, and what is behind it."""

    client: httpx.AsyncClient
    inboxes: Inboxes
    hub: Hub
    clock: ManualClock
    publisher: Publisher
    key: TicketKey
    keys: Keys

    async def ticket(self, owner: Owner = ADA, *, lasts: timedelta = timedelta(hours=1)) -> dict[str, str]:
        """Return the query that opens an inbox."""
        made = Ticket(owner=owner, expires_at=self.clock.now() + lasts)
        return {"ticket": (await self.key.tickets()).write(made)}

    def headers(self, *scopes: Scope) -> dict[str, str]:
        """Return the headers of somebody with an API key."""
        return {"Authorization": f"Bearer {self.keys.add(*scopes)}"}

    async def put(self, *letters: Letter) -> None:
        """Put letters into inboxes, and wake who listens."""
        for each in letters:
            await self.inboxes.put([(each, 0)])
            self.hub.written(each.owner)


@asynccontextmanager
async def serving(store: Store, *, alone: bool = True, **settings: Any) -> AsyncIterator[Serving]:
    """Serve the routes until the block is left."""
    clock, publisher, keys = ManualClock(), Publisher(), Keys()
    inboxes = Inboxes(store=store, clock=clock, most=100)
    hub = Hub(inboxes, caps=_CAPS, clock=clock, alone=alone)
    key = TicketKey(store=store, clock=clock, randbytes=lambda count: b"k" * count)
    api = InboxApi(
        InboxSettings(**settings),
        inboxes=inboxes,
        hub=hub,
        key=key,
        receipts=ReadReceipts(inboxes, publisher=publisher, clock=clock),
        clock=clock,
    )
    app = create_app(
        title="Tocsin",
        version="1",
        routers=[api.router],
        metrics=Metrics(version="1"),
        authenticator=Authenticator(keys, monotonic=clock.monotonic),
        checks={},
        monotonic=clock.monotonic,
    )
    async with server.serving(app, server.listen("127.0.0.1", 0)) as url, httpx.AsyncClient(base_url=url) as client:
        try:
            yield Serving(client=client, inboxes=inboxes, hub=hub, clock=clock, publisher=publisher, key=key, keys=keys)
        finally:
            hub.close()
