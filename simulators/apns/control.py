"""The control of the simulator over HTTP: what was received, faults, how it behaves, and its credentials.

Every route is `async`, so that it runs in the loop of the server, with which it shares its state.
"""

from functools import partial
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Query, Request, Response

from simulators.apns import page, reasons
from simulators.apns.behaviour import Behaviour
from simulators.apns.credentials import KEY_ID, TEAM_ID, TOPIC
from simulators.apns.faults import Fault
from simulators.apns.inbox import Received
from simulators.apns.service import Service
from simulators.control import body, decoded, faults_router, schema
from tocsin.clock import rfc3339
from tocsin.web.responses import Json

_FAULT = {"reason": "ServiceUnavailable", "retry_after_seconds": 30, "times": 3}
_BEHAVIOUR = {"max_streams": 100, "goaway_every": 50, "goaway_form": "graceful"}
_UNFIT = "This cannot be put in force."


def router(service: Service) -> APIRouter:
    """Return the routes of one simulator. They can be mounted anywhere."""
    routes = APIRouter(tags=["APNs simulator"])
    routes.include_router(_pushes(service))
    read = partial(decoded, kind=Fault, unfit=_UNFIT, no_json=_UNFIT)
    routes.include_router(faults_router(service.faults, read, openapi=body(schema(Fault), _FAULT), builtin=False))
    routes.include_router(_tokens())
    routes.include_router(_credentials(service))

    @routes.get("/", include_in_schema=False)
    async def show() -> Response:
        return page.shown(service)

    @routes.get("/behaviour")
    async def get_behaviour() -> Response:
        """Return how the server treats its connections."""
        return Json(msgspec.structs.asdict(service.behaviour))

    @routes.put("/behaviour", openapi_extra=body(schema(Behaviour), _BEHAVIOUR))
    async def put_behaviour(request: Request) -> Response:
        """Set how the server treats its connections; those that are open go on with their streams."""
        found = decoded(await request.body(), Behaviour, unfit=_UNFIT, no_json=_UNFIT)
        if isinstance(found, Response):
            return found
        service.behaviour = found
        return Json(msgspec.structs.asdict(found))

    return routes


def _pushes(service: Service) -> APIRouter:
    routes = APIRouter()

    @routes.get("/pushes")
    async def list_pushes(token: str | None = None, limit: Annotated[int, Query(ge=1, le=10_000)] = 100) -> Response:
        """List the pushes that are kept, the newest first, of one device or of all."""
        newest = zip(range(limit), service.inbox.newest(token=token), strict=False)
        return Json({"pushes": [_described(each) for _, each in newest]})

    @routes.delete("/pushes", status_code=204)
    async def clear() -> Response:
        """Forget every push and every count."""
        service.inbox.clear()
        return Response(status_code=204)

    @routes.get("/counts")
    async def count() -> Response:
        """Count pushes, those that are no longer kept included, and connections."""
        inbox = service.inbox
        return Json({"total": inbox.total, "by_token": dict(inbox.by_token), "connections": service.connections})

    return routes


def _tokens() -> APIRouter:
    routes = APIRouter()

    @routes.get("/tokens")
    async def list_tokens() -> Response:
        """List a device token for each of Apple's reasons. What follows it makes it another device."""
        return Json({"tokens": {reason: reasons.token(reason) for reason in reasons.STATUS_OF}})

    return routes


def _credentials(service: Service) -> APIRouter:
    routes = APIRouter()

    @routes.get("/credentials")
    async def get_credentials() -> Response:
        """Return the settings of the section `apns` that prove who the client is. They are good here alone."""
        return Json({"key": service.credentials.key_pem(), "key_id": KEY_ID, "team_id": TEAM_ID, "topic": TOPIC})

    @routes.get("/ca.pem")
    async def get_ca() -> Response:
        """Return the certificate to trust (`apns.ca_file`)."""
        return Response(service.credentials.ca_pem(), media_type="application/x-pem-file")

    return routes


def _described(received: Received) -> dict[str, Any]:
    return {
        "id": received.id,
        "at": rfc3339(received.at),
        "token": received.token,
        "headers": received.headers,
        "payload": received.payload,
    }
