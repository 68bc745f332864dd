"""The secret that signs tickets: random, made by whoever needs it first, and kept in the store.

There, because all processes must share it and nobody should have to set it up; and who can read the store can read the
inboxes without any ticket. Delete its row and restart, and all tickets are void.
"""

from collections.abc import Callable

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from channels.browser import base64url
from channels.browser.inbox_tickets import Tickets
from channels.browser.tables import keys
from tocsin.clock import Clock, to_ms
from tocsin.store import upsert
from tocsin.store.engine import Store

_ID = "tickets"
_BYTES = 32


class TicketKey:
    """The one secret of this database, read when it is first asked for."""

    def __init__(self, *, store: Store, clock: Clock, randbytes: Callable[[int], bytes]) -> None:
        self._store = store
        self._clock = clock
        self._randbytes = randbytes
        self._tickets: Tickets | None = None

    async def tickets(self) -> Tickets:
        """Return what signs with it. May raise StoreUnavailable."""
        if self._tickets is None:
            self._tickets = Tickets(base64url.decode(await self._secret()))
        return self._tickets

    async def _secret(self) -> str:
        async with self._store.read() as connection:
            if (found := await _kept(connection)) is not None:
                return found
        made = {"id": _ID, "secret": base64url.encode(self._randbytes(_BYTES)), "created_at": to_ms(self._clock.now())}
        async with self._store.write() as connection:
            # Of two processes that make one at a time the first wins.
            await connection.execute(upsert.insert(connection, keys).values(made).on_conflict_do_nothing())
            found = await _kept(connection)
        if found is None:
            raise LookupError("the key of the tickets was deleted while it was made")
        return found


async def _kept(connection: AsyncConnection) -> str | None:
    found: str | None = await connection.scalar(select(keys.c.secret).where(keys.c.id == _ID))
    return found
