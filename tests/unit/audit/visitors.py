"""API keys for tests: what a key may do is what it was made for."""

from tests.unit.audit.stories import NOW
from tocsin.store.keys import Key, Mode, Scope
from tocsin.web import keys

_made: dict[str, tuple[str, Scope, Mode]] = {}


def key(tenant: str, scope: Scope, *, mode: Mode = "live") -> dict[str, str]:
    """Return the header with a key of the tenant that has the scope."""
    plain, key_hash = keys.newkey(lambda size: f"{tenant}/{scope}".encode().ljust(size, b"."), mode=mode)
    _made[key_hash] = (tenant, scope, mode)
    return {"Authorization": f"Bearer {plain}"}


class AnyKey:
    """Knows every key made here. Fulfils `KeyStore`."""

    async def find(self, key_hash: str, /) -> Key | None:
        if key_hash not in _made:
            return None
        tenant, scope, mode = _made[key_hash]
        scopes = frozenset({scope})
        return Key(key_id="key_1", tenant=tenant, name="test", scopes=scopes, created_at=NOW, mode=mode)
