"""The suppressed addresses in memory, so that a delivery to any other address costs no look into the store.

A hash of 64 bits stands for an address; only one that is found there is looked up in the store. What holds back one
category only is apart, by category: where there is none, it costs next to nothing. What was written last is read again
and again, since rows of several writers do not become visible in the order of their times; that a row was lifted and is
still here costs a look, and nothing else.
"""

import hashlib
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select, tuple_

from tocsin.clock import Clock, to_ms
from tocsin.errors import StoreUnavailable
from tocsin.store.engine import Store
from tocsin.store.suppressions import Reason, Suppressions
from tocsin.store.tables import suppressions

_PAGE = 2_000
# Longer than a transaction may take, and than the clocks of two machines may differ.
_OVERLAP = timedelta(seconds=30)
_COLUMNS = ("id", "tenant", "channel", "address", "reason", "expires_at", "lifted_at", "changed_at", "category")


class SuppressedAddresses:
    """What this process knows. Nothing may be sent before it is `loaded`."""

    def __init__(self, *, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._suppressions = Suppressions(store=store, clock=clock)
        self._reasons: dict[int, Reason] = {}
        self._by_category: dict[str, dict[int, Reason]] = {}
        self._since: datetime | None = None

    @property
    def loaded(self) -> bool:
        """Whether all rows have been read once."""
        return self._since is not None

    def __len__(self) -> int:
        """Return how many suppressions are held."""
        return len(self._reasons) + sum(map(len, self._by_category.values()))

    async def refresh(self) -> None:
        """Read all rows, and later those that are new. Raises StoreUnavailable; what is known then stays."""
        begun = self._clock.now()
        above = (0 if self._since is None else to_ms(self._since - _OVERLAP), "")
        while rows := await self._rows(above):
            for row in rows:
                self._take(row, to_ms(begun))
            above = (rows[-1].changed_at, rows[-1].id)
        self._since = begun

    async def reason(self, tenant: str, channel: str, address: str, category: str | None = None) -> Reason | None:
        """Return why nothing of a category may be sent to an address, None if it may.

        Where the store cannot be asked, what was known last holds.
        """
        key = _hash(tenant, channel, address)
        known = self._reasons.get(key)
        if known is None and category in self._by_category:
            known = self._by_category[category].get(key)
        if known is None:
            return None
        try:
            return await self._suppressions.reason(tenant, channel, address, category)
        except StoreUnavailable:
            return known

    async def _rows(self, above: tuple[int, str]) -> list[Any]:
        columns = suppressions.c
        query = (
            select(*(columns[name] for name in _COLUMNS))
            .where(tuple_(columns.changed_at, columns.id) > above)
            .order_by(columns.changed_at, columns.id)
            .limit(_PAGE)
        )
        async with self._store.read() as connection:
            return list(await connection.execute(query))

    def _take(self, row: Any, now_ms: int) -> None:
        key = _hash(row.tenant, row.channel, row.address)
        reasons = self._reasons if row.category is None else self._by_category.setdefault(row.category, {})
        if row.lifted_at is not None or (row.expires_at is not None and row.expires_at <= now_ms):
            reasons.pop(key, None)
        else:
            reasons[key] = row.reason


def _hash(tenant: str, channel: str, address: str) -> int:
    text = f"{tenant}\x1f{channel}\x1f{address.casefold()}".encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "big")
