"""API keys, of which only the hash is kept. A revoked key stays in the list and is never found again."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, cast

from sqlalchemy import Row, exists, func, select, update

from tocsin import ids
from tocsin.clock import Clock, from_ms, to_ms
from tocsin.store import upsert
from tocsin.store.engine import Store
from tocsin.store.tables import api_keys

Scope = Literal["submit", "read", "operate", "admin"]
# What a `test` key submits never reaches a provider.
Mode = Literal["live", "test"]

_PREFIX = "key_"


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """A key as it is kept: everything but the key itself."""

    key_id: str
    tenant: str
    name: str
    scopes: frozenset[Scope]
    created_at: datetime
    mode: Mode = "live"
    revoked_at: datetime | None = None


class Keys:
    """The keys of all tenants. Every method may raise StoreUnavailable."""

    def __init__(self, *, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def create(
        self, *, tenant: str, name: str, scopes: Iterable[Scope], key_hash: str, mode: Mode = "live"
    ) -> Key:
        """Keep a new key under its hash. One that is kept already (given again at a start) stays as it is."""
        row = {
            "id": ids.hashed(_PREFIX, key_hash),
            "tenant": tenant,
            "name": name,
            "hash": key_hash,
            "scopes": " ".join(sorted(set(scopes))),
            "created_at": to_ms(self._clock.now()),
            "mode": mode,
        }
        async with self._store.write() as connection:
            await connection.execute(upsert.insert(connection, api_keys).on_conflict_do_nothing(), row)
            return _key((await connection.execute(select(api_keys).where(api_keys.c.hash == key_hash))).one())

    async def find(self, key_hash: str, /) -> Key | None:
        """Return the key with this hash, None if there is none or it is revoked."""
        query = select(api_keys).where(api_keys.c.hash == key_hash, api_keys.c.revoked_at.is_(None))
        async with self._store.read() as connection:
            row = (await connection.execute(query)).one_or_none()
        return None if row is None else _key(row)

    async def of_tenant(self, tenant: str) -> Sequence[Key]:
        """Return a tenant's keys, the newest first, the revoked ones too."""
        query = select(api_keys).where(api_keys.c.tenant == tenant)
        async with self._store.read() as connection:
            rows = await connection.execute(query.order_by(api_keys.c.created_at.desc(), api_keys.c.id))
            return [_key(row) for row in rows]

    async def revoke(self, key_id: str, *, tenant: str) -> Key | None:
        """Revoke a tenant's key and return it, None if the tenant has no such key. The first revocation's time stays.

        Whoever remembers keys (`web.auth.Authenticator`) has to be told to forget them.
        """
        moment = func.coalesce(api_keys.c.revoked_at, to_ms(self._clock.now()))
        change = update(api_keys).where(api_keys.c.id == key_id, api_keys.c.tenant == tenant).values(revoked_at=moment)
        async with self._store.write() as connection:
            row = (await connection.execute(change.returning(*api_keys.c))).one_or_none()
        return None if row is None else _key(row)

    async def any_left(self) -> bool:
        """Return whether there is a key that is not revoked: without one, nobody could make the next."""
        async with self._store.read() as connection:
            return bool(await connection.scalar(select(exists().where(api_keys.c.revoked_at.is_(None)))))


def _key(row: Row[Any]) -> Key:
    return Key(
        key_id=row.id,
        tenant=row.tenant,
        name=row.name,
        scopes=frozenset(cast(Sequence[Scope], row.scopes.split())),
        created_at=from_ms(row.created_at),
        mode=cast(Mode, row.mode),
        revoked_at=None if row.revoked_at is None else from_ms(row.revoked_at),
    )
