"""`/v1/browser`: the key that a page subscribes with, and the subscriptions that it got.

A page asks its own backend, which knows who is signed in, and the backend asks here: with an API key, as everywhere.
"""

from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from channels.browser import registrations_docs, subscription
from channels.browser.endpoint import EndpointPolicy
from channels.browser.keys import VapidKeys
from channels.browser.registrations import Registration, Registrations
from tocsin import magic
from tocsin.clock import rfc3339
from tocsin.validation import Fault, Schema
from tocsin.web import body, problems
from tocsin.web.auth import Principal, requires
from tocsin.web.responses import Json

Submitter = Annotated[Principal, Depends(requires("submit"))]

_MAX_BODY = 16 * 1024


def router(registrations: Registrations, *, keys: Callable[[], VapidKeys], policy: EndpointPolicy) -> APIRouter:
    """Return the routes. `keys` returns those of the moment."""
    return _Api(registrations, keys, policy).router


class _Api:
    """The routes and what they need."""

    def __init__(self, registrations: Registrations, keys: Callable[[], VapidKeys], policy: EndpointPolicy) -> None:
        self._registrations = registrations
        self._keys = keys
        self._policy = policy
        self._wanted = Schema(registrations_docs.wanted())
        self.router = APIRouter(prefix="/v1/browser", tags=["browser"])
        add = self.router.add_api_route
        add("/key", self._key, methods=["GET"], **registrations_docs.key())
        add("/subscriptions", self._register, methods=["POST"], status_code=201, **registrations_docs.register())
        add(
            "/subscriptions/{subscription_id}",
            self._remove,
            methods=["DELETE"],
            status_code=204,
            **registrations_docs.remove(),
        )

    async def _key(self, _principal: Submitter) -> Response:
        """Pages give it to `pushManager.subscribe` as `applicationServerKey`. Its id goes with the subscription."""
        current = self._keys().current
        return Json({"key": current.public, "key_id": current.id})

    async def _register(self, request: Request, principal: Submitter) -> Response:
        """Repeating it does no harm: an endpoint is kept once, for the recipient it was registered for last."""
        wanted = body.decode(await body.read(request, limit=_MAX_BODY))
        if faults := self._wanted.faults(wanted):
            raise problems.invalid(*faults)
        keys = self._keys()
        found = subscription.read(
            wanted["subscription"], pointer="/subscription", policy=self._policy, key_id=keys.current.id
        )
        if isinstance(found, Fault):
            raise problems.invalid(found)
        if magic.name_of(found.address) is not None:
            # A page may register for anybody; a notification for a person that names one is refused.
            detail = "is of a magic recipient: those are for tests, and are not registered"
            raise problems.invalid(Fault(pointer="/subscription/endpoint", detail=detail))
        key = keys.find(found.key_id)
        if key is None:
            detail = "is no key of this gateway; `GET /v1/browser/key` has the one to subscribe with"
            raise problems.invalid(Fault(pointer="/subscription/key_id", detail=detail))
        made = await self._registrations.register(
            principal.tenant, wanted["recipient_id"], found, key_id=key.id, replaces=wanted.get("replaces")
        )
        return Json(_view(made), 201)

    async def _remove(self, subscription_id: str, principal: Submitter) -> Response:
        """Repeating it does no harm."""
        await self._registrations.remove(subscription_id, tenant=principal.tenant)
        return Response(status_code=204)


def _view(registration: Registration) -> dict[str, str]:
    return {
        "id": registration.id,
        "recipient_id": registration.recipient_id,
        "key_id": registration.key_id,
        "created_at": rfc3339(registration.created_at),
    }
