"""The control of the simulator over HTTP: what was received, the faults in force, its tokens and its account.

Every route is `async`, so that it runs in the loop of the routes that it shares its state with.
"""

from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response

from simulators.control import body, decoded, faults_router, schema
from simulators.fcm import page
from simulators.fcm.account import Account
from simulators.fcm.faults import Fault, Faults
from simulators.fcm.inbox import Inbox, Received
from simulators.fcm.tokens import Tokens
from tocsin.clock import rfc3339
from tocsin.web.responses import Json

_EXAMPLE = {"tokens": "dev-1*", "error": "QUOTA_EXCEEDED", "retry_after_seconds": 30, "times": 3}
_UNFIT = "This is not a fault."


def router(*, account: Account, tokens: Tokens, inbox: Inbox, faults: Faults) -> APIRouter:
    """Return the routes of the control."""
    routes = APIRouter(tags=["FCM simulator"])
    routes.include_router(_messages(inbox))
    read = partial(decoded, kind=Fault, unfit=_UNFIT, no_json=_UNFIT)
    routes.include_router(faults_router(faults, read, openapi=body(schema(Fault), _EXAMPLE)))

    @routes.get("/", include_in_schema=False)
    async def show() -> Response:
        return page.shown(inbox, faults)

    @routes.get("/counts")
    async def count() -> Response:
        """Count messages, those that are no longer kept included, and access tokens that were granted."""
        return Json({"total": inbox.total, "by_token": dict(inbox.by_token), "tokens_granted": tokens.granted})

    @routes.delete("/tokens", status_code=204)
    async def revoke() -> Response:
        """Make every access token worthless: the next call of each client gets a 401."""
        tokens.revoke()
        return Response(status_code=204)

    @routes.get("/service-account.json")
    async def get_account() -> Response:
        """Return the service account, as the Firebase console hands one out. It is good here and nowhere else."""
        return Response(account.document(), media_type="application/json")

    return routes


def _messages(inbox: Inbox) -> APIRouter:
    routes = APIRouter()

    @routes.get("/messages")
    async def list_messages(token: str | None = None, limit: Annotated[int, Query(ge=1, le=10_000)] = 100) -> Response:
        """List the messages that are kept, the newest first, of one device or of all."""
        newest = zip(range(limit), inbox.newest(token=token), strict=False)
        return Json({"messages": [_described(each) for _, each in newest]})

    @routes.delete("/messages", status_code=204)
    async def clear() -> Response:
        """Forget every message and every count."""
        inbox.clear()
        return Response(status_code=204)

    return routes


def _described(received: Received) -> dict[str, Any]:
    return {
        "id": received.id,
        "at": rfc3339(received.at),
        "name": received.name,
        "token": received.token,
        "message": received.message,
    }
