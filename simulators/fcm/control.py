"""The control of the simulator over HTTP: what was received, the faults in force, its tokens and its account.

Every route is `async`, so that it runs in the loop of the routes that it shares its state with.
"""

from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Query, Request, Response

from simulators.fcm import page
from simulators.fcm.account import Account
from simulators.fcm.faults import Fault, Faults, Rule
from simulators.fcm.inbox import Inbox, Received
from simulators.fcm.tokens import Tokens
from tocsin.clock import rfc3339
from tocsin.validation import Fault as Mistake
from tocsin.web.responses import Json

_EXAMPLE = {"tokens": "dev-1*", "error": "QUOTA_EXCEEDED", "retry_after_seconds": 30, "times": 3}


def router(*, account: Account, tokens: Tokens, inbox: Inbox, faults: Faults) -> APIRouter:
    """Return the routes of the control."""
    routes = APIRouter(tags=["FCM simulator"])
    routes.include_router(_messages(inbox))
    routes.include_router(_faults(faults))

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


def _faults(faults: Faults) -> APIRouter:
    routes = APIRouter()
    body = {"schema": _schema(), "example": _EXAMPLE}

    @routes.get("/faults")
    async def list_faults() -> Response:
        """List the faults in force, in the order in which they are tried."""
        return Json({"faults": [_rule(rule) for rule in faults]})

    @routes.post(
        "/faults",
        status_code=201,
        openapi_extra={"requestBody": {"required": True, "content": {"application/json": body}}},
    )
    async def add_fault(request: Request) -> Response:
        """Put a fault in force, after those added before it and ahead of the built-in ones."""
        try:
            fault = msgspec.json.decode(await request.body(), type=Fault)
        except msgspec.ValidationError as error:
            detail, _, path = str(error).partition(" - at `$")
            return _problem(422, Mistake(pointer=path.rstrip("`").replace(".", "/"), detail=detail))
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            return _problem(400, Mistake(pointer="", detail=str(error)))
        return Json(_rule(faults.add(fault)), status_code=201)

    @routes.delete("/faults", status_code=204)
    async def reset() -> Response:
        """Go back to the built-in faults, unused."""
        faults.reset()
        return Response(status_code=204)

    return routes


def _schema() -> dict[str, Any]:
    _, found = msgspec.json.schema_components([Fault])
    schema: dict[str, Any] = found["Fault"]
    return schema


def _described(received: Received) -> dict[str, Any]:
    return {
        "id": received.id,
        "at": rfc3339(received.at),
        "name": received.name,
        "token": received.token,
        "message": received.message,
    }


def _rule(rule: Rule) -> dict[str, Any]:
    return msgspec.structs.asdict(rule.fault) | {"builtin": rule.builtin, "applied": rule.applied}


def _problem(status: int, mistake: Mistake) -> Response:
    """Return an error as RFC 9457 has it."""
    body = {"type": "about:blank", "status": status, "detail": "This is not a fault.", "errors": [mistake]}
    return Json(body, status_code=status, media_type="application/problem+json")
