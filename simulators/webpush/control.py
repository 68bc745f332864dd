"""The HTTP side: the push resource that senders call, and beside it what tests and people need.

Every route is `async`, so that all of them share the loop and the state.
"""

from functools import partial
from typing import Annotated, Any, TypeVar

import msgspec
from fastapi import APIRouter, Query, Request, Response

from simulators.answers import CutOff
from simulators.control import faults_router, problem
from simulators.webpush import pages, service
from simulators.webpush.browser import Browser, Browsers
from simulators.webpush.faults import BEHAVIOURS, OK, Fault, Faults
from simulators.webpush.inbox import Inbox
from simulators.webpush.service import PushService
from tocsin.web.responses import Json

T = TypeVar("T")


class Wanted(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A subscription to make. `base_url` is this simulator's own, as the sender of messages reaches it."""

    behaviour: str = OK
    application_server_key: str | None = None
    base_url: str | None = None


def router(*, pushes: PushService, browsers: Browsers, inbox: Inbox, faults: Faults) -> APIRouter:
    """Return the routes of one push service."""
    routes = APIRouter(tags=["web push simulator"])
    routes.include_router(_push(pushes))
    routes.include_router(_subscriptions(browsers))
    routes.include_router(_messages(inbox))
    routes.include_router(faults_router(faults, partial(_decoded, kind=Fault), builtin=False))
    routes.include_router(pages.router(inbox=inbox, browsers=browsers))
    return routes


def _push(pushes: PushService) -> APIRouter:
    routes = APIRouter()

    @routes.post("/push/{subscription}", name="webpush_push")
    async def push(subscription: str, request: Request) -> Response:
        """Take a message for a browser, as RFC 8030 has it."""
        headers = {name.lower(): value for name, value in request.headers.items()}
        origin = f"{request.url.scheme}://{request.url.netloc}"
        answer = await pushes.push(subscription, headers, await request.body(), origin=origin)
        if answer.cut:
            return CutOff(status_code=answer.status)
        return Response(answer.body, status_code=answer.status, headers=dict(answer.headers))

    return routes


def _subscriptions(browsers: Browsers) -> APIRouter:
    routes = APIRouter()

    @routes.post("/subscriptions", status_code=201)
    async def subscribe(request: Request) -> Response:
        """Make a browser and return its subscription as `PushSubscription.toJSON()` does."""
        wanted = _decoded(await request.body() or b"{}", Wanted)
        if isinstance(wanted, Response):
            return wanted
        if wanted.behaviour not in BEHAVIOURS:
            return problem(422, f"The behaviour must be one of {', '.join(BEHAVIOURS)}.")
        browser = browsers.subscribe(behaviour=wanted.behaviour, server_key=wanted.application_server_key)
        return Json(_subscription(browser, request, wanted.base_url), status_code=201)

    @routes.get("/subscriptions")
    async def list_subscriptions(request: Request) -> Response:
        """List the browsers, with what they answer."""
        found = [{**_subscription(each, request, None), "behaviour": each.behaviour} for each in browsers]
        return Json({"subscriptions": found})

    @routes.delete("/subscriptions/{subscription}", status_code=204)
    async def unsubscribe(subscription: str) -> Response:
        """Forget a browser: from then on it is answered 404."""
        browsers.unsubscribe(subscription)
        return Response(status_code=204)

    return routes


def _messages(inbox: Inbox) -> APIRouter:
    routes = APIRouter()

    @routes.get("/messages")
    async def list_messages(
        subscription: str | None = None, limit: Annotated[int, Query(ge=1, le=1_000)] = 100
    ) -> Response:
        """List the messages that are kept, in the clear, the newest first."""
        newest = zip(range(limit), inbox.newest(subscription), strict=False)
        return Json({"total": inbox.total, "messages": [service.summary(each) for _, each in newest]})

    @routes.get("/counts")
    async def count() -> Response:
        """Count what was received, messages that are no longer kept included."""
        return Json({"total": inbox.total})

    @routes.delete("/messages", status_code=204)
    async def clear() -> Response:
        """Forget every message."""
        inbox.clear()
        return Response(status_code=204)

    return routes


def _subscription(browser: Browser, request: Request, base_url: str | None) -> dict[str, Any]:
    here = str(request.url_for("webpush_push", subscription=browser.id))
    endpoint = here if base_url is None else f"{base_url.rstrip('/')}/push/{browser.id}"
    return {"endpoint": endpoint, "expirationTime": None, "keys": browser.keys}


def _decoded(raw: bytes, kind: type[T]) -> T | Response:
    """Return the body as a struct, or the answer to one that is none."""
    try:
        return msgspec.json.decode(raw, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        status = 422 if isinstance(error, msgspec.ValidationError) else 400
        return problem(status, str(error))
