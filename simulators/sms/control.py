"""The HTTP control of a simulator: what was received, the faults in force, and texts that people write back."""

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from fastapi import APIRouter, Request, Response

from simulators import received
from simulators.control import Reader, body, faults_router, problem
from simulators.sms import pages, submitted
from simulators.sms.faults import Fault, Faults
from simulators.sms.texts import Text, Texts
from tocsin import validation
from tocsin.clock import rfc3339
from tocsin.web.responses import Json


class Inbound(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A text that somebody writes back. Without `url` it goes to where the newest receipt went."""

    sender: str
    text: str
    url: str = ""


Write = Callable[[Inbound], Awaitable[int | None]]


def router(*, name: str, texts: Texts, faults: Faults, write: Write) -> APIRouter:
    """Return the control of one simulator. Links in its page are relative, so it can be mounted anywhere."""
    routes = APIRouter(tags=[f"{name} simulator"])
    routes.include_router(received.router(texts, _summary))
    routes.include_router(_inbound(write))
    read = Reader(Fault, submitted.schema()).read
    routes.include_router(faults_router(faults, read, openapi=body(submitted.schema(), submitted.EXAMPLE)))
    routes.include_router(pages.router(name=name, texts=texts, faults=faults))
    return routes


def _inbound(write: Write) -> APIRouter:
    routes = APIRouter()

    @routes.post("/inbound", openapi_extra=body({"type": "object"}, {"sender": "+12025550143", "text": "STOP"}))
    async def write_back(request: Request) -> Response:
        """Have somebody write to us, such as STOP. Answers with the status that the gateway answered."""
        try:
            inbound = msgspec.json.decode(await request.body(), type=Inbound)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            return problem(422, "This is not a text.", [validation.Fault(pointer="", detail=str(error))])
        return Json({"status": await write(inbound)})

    return routes


def _summary(text: Text) -> dict[str, Any]:
    return {
        "id": text.id,
        "at": rfc3339(text.at),
        "provider_id": text.provider_id,
        "sender": text.sender,
        "recipient": text.recipient,
        "text": text.text,
        "callback": text.callback,
        "reference": text.reference,
    }
