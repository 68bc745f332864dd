"""`/v1/keys`: API keys made, listed and revoked, all of it under the scope `admin`.

A key is in one answer, that of its making, and nowhere else. What is done is done first and told to the audit second;
where the telling fails the answer is 503, and a repeat tells the same event once more, under the same id.
"""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from tocsin import ids
from tocsin.clock import rfc3339
from tocsin.lifecycle import AuditEvent, Event
from tocsin.store.keys import Key, Keys, Mode, Scope
from tocsin.validation import Fault, Schema
from tocsin.web import body, keys_docs, problems
from tocsin.web.auth import Authenticator, Principal, requires
from tocsin.web.keys import newkey
from tocsin.web.responses import Json

Publish = Callable[[AuditEvent], Awaitable[None]]
Admin = Annotated[Principal, Depends(requires("admin"))]

_MAX_BODY = 16 * 1024
_OF_TEST_KEYS: frozenset[Scope] = frozenset({"submit", "read"})


def router(keys: Keys, publish: Publish, *, randbytes: Callable[[int], bytes]) -> APIRouter:
    """Return the routes. `publish` returns once the event is durable; `randbytes` must be fit for secrets."""
    return _Api(keys, publish, randbytes).router


class _Api:
    """The routes and what they need."""

    def __init__(self, keys: Keys, publish: Publish, randbytes: Callable[[int], bytes]) -> None:
        self._keys = keys
        self._publish = publish
        self._randbytes = randbytes
        self._wanted = Schema(keys_docs.WANTED)
        self.router = APIRouter(prefix="/v1/keys", tags=["keys"])
        add = self.router.add_api_route
        add("", self._create, methods=["POST"], status_code=201, **keys_docs.CREATE)
        add("", self._list, methods=["GET"], **keys_docs.LIST)
        add("/{key_id}", self._revoke, methods=["DELETE"], **keys_docs.REVOKE)

    async def _create(self, request: Request, principal: Admin) -> Response:
        """The answer is the only one that ever holds the key."""
        wanted = body.decode(await body.read(request, limit=_MAX_BODY))
        if faults := self._wanted.faults(wanted):
            raise problems.invalid(*faults)
        mode: Mode = wanted.get("mode", "live")
        if mode == "test" and not _OF_TEST_KEYS.issuperset(wanted["scopes"]):
            raise problems.invalid(Fault(pointer="/scopes", detail="of a test key can be `submit` and `read` only"))
        plain, key_hash = newkey(self._randbytes, mode=mode)
        key = await self._keys.create(
            tenant=principal.tenant, name=wanted["name"], scopes=wanted["scopes"], key_hash=key_hash, mode=mode
        )
        # Should this fail, nobody has been told the key, and so nobody ever uses it.
        await self._publish(_event(Event.OPERATOR_KEY_CREATED, key, principal, key.created_at))
        return Json({**_view(key), "key": plain}, 201, headers={"Cache-Control": "no-store"})

    async def _list(self, principal: Admin) -> Response:
        """The newest first, the revoked ones too."""
        found = await self._keys.of_tenant(principal.tenant)
        return Json({"items": [_view(key) for key in found], "next_cursor": None})

    async def _revoke(self, key_id: str, request: Request, principal: Admin) -> Response:
        """It is refused from now on. Repeating it changes nothing, not even the time."""
        if await self._last_admin(key_id, principal.tenant):
            detail = "This is the last key with the scope `admin`: nobody could make another. Make that first."
            raise problems.conflict(detail, slug="last-admin-key")
        key = await self._keys.revoke(key_id, tenant=principal.tenant)
        if key is None or key.revoked_at is None:
            raise problems.not_found("There is no such key. Its id begins with key_; `GET /v1/keys` lists them.")
        authenticator: Authenticator = request.app.state.authenticator
        authenticator.forget()
        await self._publish(_event(Event.OPERATOR_KEY_REVOKED, key, principal, key.revoked_at))
        return Json(_view(key))

    async def _last_admin(self, key_id: str, tenant: str) -> bool:
        found = await self._keys.of_tenant(tenant)
        return [key.key_id for key in found if key.revoked_at is None and "admin" in key.scopes] == [key_id]


def _view(key: Key) -> dict[str, Any]:
    return {
        "id": key.key_id,
        "name": key.name,
        "scopes": sorted(key.scopes),
        "mode": key.mode,
        "created_at": rfc3339(key.created_at),
        "revoked_at": None if key.revoked_at is None else rfc3339(key.revoked_at),
    }


def _event(kind: Event, key: Key, principal: Principal, time: datetime) -> AuditEvent:
    """Return the event. A key is made once and revoked once, so its id and what was done say which event it is."""
    return AuditEvent(
        id=ids.hashed(ids.EVENT, key.key_id, kind),
        type=kind,
        time=time,
        tenant=key.tenant,
        data={
            "actor": principal.key_id,
            "key_id": key.key_id,
            "name": key.name,
            "scopes": sorted(key.scopes),
            "mode": key.mode,
        },
    )
