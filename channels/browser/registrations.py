"""Registered subscriptions: where the browsers of a recipient are, kept so that a notification need name its id only.

An endpoint belongs to one recipient of a tenant, the last one that it was registered for: who signs in on a browser
after somebody else gets what comes to it from then on. Of a recipient with too many the oldest go.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from channels.browser.subscription import Subscription
from channels.browser.tables import subscriptions
from tocsin import ids
from tocsin.clock import Clock, from_ms, to_ms
from tocsin.store import upsert
from tocsin.store.engine import Store

_PREFIX = "sub_"


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """A subscription as it is kept, without what would let others send to it."""

    id: str
    recipient_id: str
    key_id: str
    created_at: datetime


class Registrations:
    """The registered subscriptions of all tenants; `most` for one recipient. Methods may raise StoreUnavailable."""

    def __init__(self, *, store: Store, clock: Clock, most: int) -> None:
        self._store = store
        self._clock = clock
        self._most = most

    async def register(
        self, tenant: str, recipient_id: str, subscription: Subscription, *, key_id: str, replaces: str | None = None
    ) -> Registration:
        """Keep a subscription, or what is new about it. `replaces` is an endpoint that it takes the place of."""
        row = _values(tenant, recipient_id, subscription, key_id, to_ms(self._clock.now()))
        async with self._store.write() as connection:
            if replaces is not None:
                gone = subscriptions.c.endpoint_hash == _hash(tenant, replaces)
                await connection.execute(delete(subscriptions).where(gone))
            statement = upsert.insert(connection, subscriptions).values(row)
            changed = {name: statement.excluded[name] for name in row if name not in ("id", "endpoint_hash")}
            await connection.execute(statement.on_conflict_do_update(index_elements=["endpoint_hash"], set_=changed))
            await self._drop_oldest(connection, tenant, recipient_id)
        return Registration(
            id=row["id"], recipient_id=recipient_id, key_id=key_id, created_at=from_ms(row["created_at"])
        )

    async def remove(self, registration_id: str, *, tenant: str) -> bool:
        """Forget a tenant's subscription; return whether there was one."""
        ours = (subscriptions.c.id == registration_id) & (subscriptions.c.tenant == tenant)
        async with self._store.write() as connection:
            return (await connection.execute(delete(subscriptions).where(ours))).rowcount > 0

    async def of_recipient(self, tenant: str, recipient_id: str) -> Sequence[Mapping[str, Any]]:
        """Return a recipient's subscriptions as a notification has them, the newest first."""
        query = _of(tenant, recipient_id).limit(self._most)
        async with self._store.read() as connection:
            return [_document(row) for row in await connection.execute(query)]

    async def _drop_oldest(self, connection: AsyncConnection, tenant: str, recipient_id: str) -> None:
        found = (await connection.execute(_of(tenant, recipient_id))).all()
        if surplus := [row.id for row in found[self._most :]]:
            await connection.execute(delete(subscriptions).where(subscriptions.c.id.in_(sorted(surplus))))


def _of(tenant: str, recipient_id: str) -> Any:
    theirs = (subscriptions.c.tenant == tenant) & (subscriptions.c.recipient_id == recipient_id)
    return select(subscriptions).where(theirs).order_by(subscriptions.c.created_at.desc(), subscriptions.c.id.desc())


def _values(
    tenant: str, recipient_id: str, subscription: Subscription, key_id: str, registered_at: int
) -> dict[str, Any]:
    return {
        "id": ids.hashed(_PREFIX, tenant, subscription.endpoint),
        "tenant": tenant,
        "recipient_id": recipient_id,
        "endpoint_hash": _hash(tenant, subscription.endpoint),
        "endpoint": subscription.endpoint,
        "p256dh": subscription.p256dh,
        "auth": subscription.auth,
        "key_id": key_id,
        "created_at": registered_at,
    }


def _hash(tenant: str, endpoint: str) -> str:
    return hashlib.sha256(f"{tenant}\x1f{endpoint}".encode()).hexdigest()


def _document(row: Row[Any]) -> Mapping[str, Any]:
    keys = {"p256dh": row.p256dh, "auth": row.auth}
    return {"endpoint": row.endpoint, "keys": keys, "key_id": row.key_id}
