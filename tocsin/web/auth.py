"""Who asks, and may they? `Authorization: Bearer tcs_…` or `X-API-Key: tcs_…`, and a scope for each operation.

`requires("submit")` is a dependency of a route; it finds the application's `Authenticator` on `app.state`. A test key
opens only what keeps tests and the rest apart, and says so: `requires("submit", test_keys=True)`.
"""

from collections.abc import Callable
from dataclasses import dataclass

from fastapi.openapi.models import HTTPBearer
from fastapi.security.base import SecurityBase
from starlette.requests import Request

from tocsin.store.keys import Key, Scope
from tocsin.web import keys
from tocsin.web.keys import KeyStore
from tocsin.web.problems import ProblemError

_REMEMBERED_SECONDS = 30.0
_MAX_REMEMBERED = 10_000
_REALM = 'Bearer realm="tocsin"'


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """Who asks: a tenant's key."""

    tenant: str
    key_id: str
    name: str
    scopes: frozenset[Scope]
    test: bool = False

    def may(self, scope: Scope) -> bool:
        """Return whether the key has the scope; `admin` has all."""
        return scope in self.scopes or "admin" in self.scopes


class Authenticator:
    """Knows keys by their hash and remembers those it found for 30 s, the longest a revocation elsewhere takes to hold.

    What is not a key is not remembered: anybody could fill a cache with that.
    """

    def __init__(self, store: KeyStore, *, monotonic: Callable[[], float]) -> None:
        self._store = store
        self._monotonic = monotonic
        self._remembered: dict[str, tuple[float, Principal]] = {}
        self._revocations = 0

    async def principal(self, plain: str) -> Principal | None:
        """Return who holds this key, None if nobody does. May raise StoreUnavailable."""
        if not keys.well_formed(plain):
            return None
        key_hash = keys.hashed(plain)
        known = self._remembered.get(key_hash)
        if known is not None and self._monotonic() < known[0]:
            return known[1]
        before = self._revocations
        found = await self._store.find(key_hash)
        if found is None:
            self._remembered.pop(key_hash, None)
            return None
        principal = _principal(found)
        if before == self._revocations:  # else what was found may be what has been revoked meanwhile
            self._remember(key_hash, principal)
        return principal

    def forget(self) -> None:
        """Remember no key any longer. To be called when one is revoked or changed."""
        self._revocations += 1
        self._remembered.clear()

    def _remember(self, key_hash: str, principal: Principal) -> None:
        self._remembered.pop(key_hash, None)
        if len(self._remembered) >= _MAX_REMEMBERED:
            del self._remembered[next(iter(self._remembered))]
        self._remembered[key_hash] = (self._monotonic() + _REMEMBERED_SECONDS, principal)


def _principal(key: Key) -> Principal:
    return Principal(tenant=key.tenant, key_id=key.key_id, name=key.name, scopes=key.scopes, test=key.mode == "test")


class _Requires(SecurityBase):
    """The dependency. One object rather than FastAPI's bearer class and another one, for it runs on every request."""

    def __init__(self, scope: Scope, *, test_keys: bool) -> None:
        self.model = HTTPBearer(bearerFormat="tcs_…", description="An API key. `X-API-Key: tcs_…` does as well.")
        self.scheme_name = "ApiKey"
        self._scope = scope
        self._test_keys = test_keys

    async def __call__(self, request: Request) -> Principal:
        """Return who asks. Raises ProblemError: 401 without a valid key, 403 without the scope."""
        plain = _presented(request)
        authenticator: Authenticator = request.app.state.authenticator
        principal = await authenticator.principal(plain)
        if principal is None:
            detail = "This API key is not valid: it is mistyped, revoked, or of another gateway."
            raise ProblemError(401, "unauthorized", detail, headers=_challenge('error="invalid_token"'))
        if not principal.may(self._scope):
            detail = f"This needs an API key with the scope `{self._scope}`; make one with `tocsin keys create`."
            challenge = _challenge('error="insufficient_scope"', f'scope="{self._scope}"')
            raise ProblemError(403, "forbidden", detail, headers=challenge)
        if principal.test and not self._test_keys:
            raise ProblemError(403, "forbidden", "A test key submits tests and reads them; this needs a live key.")
        return principal


def requires(scope: Scope, *, test_keys: bool = False) -> Callable[[Request], object]:
    """Return a dependency that lets in keys with this scope: `Annotated[Principal, Depends(requires("read"))]`.

    With `test_keys`, the route lets test keys in as well, and sees to it that they touch nothing but tests.
    """
    return _Requires(scope, test_keys=test_keys)


def _presented(request: Request) -> str:
    """Return the key that came with the request. Raises ProblemError 401 where none came (RFC 6750, section 3)."""
    scheme, _, plain = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and plain.strip():
        return plain.strip()
    if (plain := request.headers.get("x-api-key", "").strip()) and not scheme:
        return plain
    detail = "Send an API key: `Authorization: Bearer tcs_…`, or `X-API-Key: tcs_…` and no Authorization."
    raise ProblemError(401, "unauthorized", detail, headers=_challenge())


def _challenge(*parts: str) -> dict[str, str]:
    return {"WWW-Authenticate": ", ".join((_REALM, *parts))}
