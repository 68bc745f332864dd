"""The HTTP control of a simulator: what was received, the faults in force, and texts that people write back."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from itertools import islice
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Query, Request, Response

from simulators.sms import pages, submitted
from simulators.sms.faults import Fault, Faults, Rule
from simulators.sms.texts import Text, Texts
from tocsin import validation
from tocsin.clock import rfc3339


class Inbound(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A text that somebody writes back. Without `url` it goes to where the newest receipt went."""

    sender: str
    text: str
    url: str = ""


Write = Callable[[Inbound], Awaitable[int | None]]


def router(*, name: str, texts: Texts, faults: Faults, write: Write) -> APIRouter:
    """Return the control of one simulator. Links in its page are relative, so it can be mounted anywhere."""
    routes = APIRouter(tags=[f"{name} simulator"])
    routes.include_router(_messages(texts, write))
    routes.include_router(_faults(faults))
    routes.include_router(pages.router(name=name, texts=texts, faults=faults))
    return routes


def _messages(texts: Texts, write: Write) -> APIRouter:
    routes = APIRouter()

    @routes.get("/messages")
    async def list_messages(
        recipient: str | None = None, limit: Annotated[int, Query(ge=1, le=10_000)] = 100
    ) -> Response:
        """List the texts that are kept, the newest first, to one number or to all."""
        return _json({"messages": [_summary(text) for text in islice(texts.newest(recipient=recipient), limit)]})

    @routes.get("/counts")
    async def count() -> Response:
        """Count what was taken, texts that are no longer kept included."""
        return _json({"total": texts.total, "kept": texts.kept, "by_recipient": dict(texts.by_recipient)})

    @routes.delete("/messages", status_code=204)
    async def clear() -> Response:
        """Forget every text and every count."""
        texts.clear()
        return Response(status_code=204)

    @routes.post("/inbound", openapi_extra=_body({"sender": "+12025550143", "text": "STOP"}))
    async def write_back(request: Request) -> Response:
        """Have somebody write to us, such as STOP. Answers with the status that the gateway answered."""
        try:
            inbound = msgspec.json.decode(await request.body(), type=Inbound)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            return _problem(422, "This is not a text.", [validation.Fault(pointer="", detail=str(error))])
        return _json({"status": await write(inbound)})

    return routes


def _faults(faults: Faults) -> APIRouter:
    routes = APIRouter()
    reader = submitted.Reader()

    @routes.get("/faults")
    async def list_faults() -> Response:
        """List the faults in force, in the order in which they are tried."""
        return _json({"faults": [_described(rule) for rule in faults]})

    @routes.post("/faults", status_code=201, openapi_extra=_body(submitted.EXAMPLE, submitted.schema()))
    async def add_fault(request: Request) -> Response:
        """Put a fault in force, after those added before it and ahead of the built-in ones."""
        try:
            document = msgspec.json.decode(await request.body())
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            return _problem(400, "The body is not JSON.", [validation.Fault(pointer="", detail=str(error))])
        fault = reader.read(document)
        if not isinstance(fault, Fault):
            return _problem(422, "This is not a fault that can be put in force.", fault)
        return _json(_described(faults.add(fault)), status=201)

    @routes.delete("/faults", status_code=204)
    async def reset() -> Response:
        """Go back to the built-in faults, unused."""
        faults.reset()
        return Response(status_code=204)

    return routes


def _body(example: Mapping[str, Any], schema: Mapping[str, Any] | None = None) -> dict[str, Any]:
    content = {"schema": schema or {"type": "object"}, "example": example}
    return {"requestBody": {"required": True, "content": {"application/json": content}}}


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


def _described(rule: Rule) -> dict[str, Any]:
    return msgspec.structs.asdict(rule.fault) | {"builtin": rule.builtin, "applied": rule.applied}


def _json(value: Mapping[str, Any], *, status: int = 200, media_type: str = "application/json") -> Response:
    return Response(msgspec.json.encode(value), status_code=status, media_type=media_type)


def _problem(status: int, detail: str, mistakes: Sequence[validation.Fault]) -> Response:
    """Return an error as RFC 9457 has it."""
    body = {"type": "about:blank", "status": status, "detail": detail, "errors": mistakes}
    return _json(body, status=status, media_type="application/problem+json")
