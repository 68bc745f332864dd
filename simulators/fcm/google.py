"""Google's side: the routes that a client of FCM calls, at their real paths."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs

import msgspec
from fastapi import APIRouter, Request, Response

from simulators.answers import CutOff
from simulators.faults import retry_after
from simulators.fcm import checking, errors
from simulators.fcm.errors import Failure
from simulators.fcm.faults import Fault, Faults
from simulators.fcm.inbox import Inbox
from simulators.fcm.tokens import Refused, Tokens
from tocsin.clock import Clock
from tocsin.web.responses import Json


def router(*, project: str, tokens: Tokens, inbox: Inbox, faults: Faults, clock: Clock) -> APIRouter:
    """Return the token endpoint and `messages:send`."""
    routes = APIRouter(tags=["FCM simulator: Google's side"])

    @routes.post("/token")
    async def grant_token(request: Request) -> Response:
        """Give an access token for a signed assertion of the service account (RFC 7523)."""
        form = parse_qs((await request.body()).decode("ascii", "replace"))
        found = tokens.grant(_first(form, "grant_type"), _first(form, "assertion"))
        if isinstance(found, Refused):
            return Json({"error": found.error, "error_description": found.description}, status_code=400)
        return Json({"access_token": found.token, "expires_in": found.seconds, "token_type": "Bearer"})

    @routes.post("/v1/projects/{called}/messages:send")
    async def send_message(called: str, request: Request) -> Response:
        """Take a message for one device, or refuse it as FCM would."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not tokens.holds(token):
            return _refused(errors.unauthenticated())
        if called != project:
            return _refused(errors.permission_denied(called))
        document = _decoded(await request.body())
        if (failure := checking.refusal(document)) is not None:
            return _refused(failure)
        message: Mapping[str, Any] = document["message"]
        fault = faults.meet(str(message.get("token", "")))
        if fault is not None and fault.error is not None:
            await _wait(fault, clock)
            return _refused(errors.of_code(fault.error), retry_after(fault, clock.now()))
        received = inbox.receive(project, message)
        if fault is not None:
            await _wait(fault, clock)
        if fault is not None and fault.drop:
            return CutOff(status_code=200)
        return Json({"name": received.name})

    return routes


async def _wait(fault: Fault, clock: Clock) -> None:
    if fault.delay_seconds:
        await clock.sleep(timedelta(seconds=fault.delay_seconds))


def _refused(failure: Failure, headers: Mapping[str, str] | None = None) -> Response:
    return Json(failure.body, status_code=failure.status, headers=headers)


def _first(form: Mapping[str, list[str]], name: str) -> str:
    return form.get(name, [""])[0]


def _decoded(body: bytes) -> Any:
    """Return the JSON of a body, None where there is none: that is no message either."""
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
