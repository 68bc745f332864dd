"""API keys for tests: what a key may do is what it was made for."""

from tests.unit.audit.stories import NOW
from tocsin.store.keys import Key, Scope
from tocsin.web import keys

_made: dict[str, tuple[str, Scope]] = {}


def key(tenant: str, scope: Scope) -> dict[str, str]:
    """Return the header with a key of the tenant that has the scope."""
    plain, key_hash = keys.newkey(lambda size: f"{tenant}/{scope}".encode().ljust(size, b"."))
    _made[key_hash] = (tenant, scope)
    return {"Authorization": f"Bearer {plain}"}


class AnyKey:
    """Knows every key made here. Fulfils `KeyStore`."""

    async def find(self, key_hash: str, /) -> Key | None:
        if key_hash not in _made:
            return None
        tenant, scope = _made[key_hash]
        return Key(key_id="key_1", tenant=tenant, name="test", scopes=frozenset({scope}), created_at=NOW)
