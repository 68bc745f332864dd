"""The HTTP control of a simulator: what was received, and the faults in force.

Every route is `async`, so that it runs in the loop of the routes that it shares its state with.
"""

from itertools import islice
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Query, Request, Response

from simulators.mail import pages
from simulators.mail.faults import Fault, Faults, Rule
from simulators.smtp import reading
from simulators.smtp.mailbox import Mail, Mailbox
from tocsin.clock import rfc3339
from tocsin.validation import Fault as Mistake
from tocsin.web.responses import Json

_EXAMPLE = {"recipients": "*@slow.example", "status": 429, "error": "TooManyRequestsException", "times": 3}


def router(*, name: str, mailbox: Mailbox, faults: Faults) -> APIRouter:
    """Return the control of one simulator. Links in its page are relative, so it can be mounted anywhere."""
    routes = APIRouter(tags=[f"{name} simulator"])
    routes.include_router(_messages(mailbox))
    routes.include_router(_faults(faults))
    routes.include_router(pages.router(name=name, mailbox=mailbox, faults=faults))
    return routes


def _messages(mailbox: Mailbox) -> APIRouter:
    routes = APIRouter()

    @routes.get("/messages")
    async def list_messages(
        recipient: str | None = None, limit: Annotated[int, Query(ge=1, le=10_000)] = 100
    ) -> Response:
        """List the mails that are kept, the newest first, of one recipient or of all."""
        return Json({"messages": [_summary(mail) for mail in islice(mailbox.newest(recipient=recipient), limit)]})

    @routes.get("/messages/{mail_id}/source")
    async def get_source(mail_id: int) -> Response:
        """Return the exact bytes of a mail."""
        mail = mailbox.get(mail_id)
        if mail is None:
            return _problem(404, "There is no such mail, or it is no longer kept.")
        # As plain text a browser shows it, and with `nosniff` it takes no HTML in it for a page.
        return Response(mail.raw, media_type="text/plain", headers={"X-Content-Type-Options": "nosniff"})

    @routes.get("/counts")
    async def count() -> Response:
        """Count what was received, mails that are no longer kept included."""
        return Json({"total": mailbox.total, "kept": mailbox.kept, "by_recipient": dict(mailbox.by_recipient)})

    @routes.delete("/messages", status_code=204)
    async def clear() -> Response:
        """Forget every mail and every count."""
        mailbox.clear()
        return Response(status_code=204)

    return routes


def _faults(faults: Faults) -> APIRouter:
    routes = APIRouter()
    content = {"application/json": {"schema": _schema(), "example": _EXAMPLE}}

    @routes.get("/faults")
    async def list_faults() -> Response:
        """List the faults in force, in the order in which they are tried."""
        return Json({"faults": [_described(rule) for rule in faults]})

    @routes.post("/faults", status_code=201, openapi_extra={"requestBody": {"required": True, "content": content}})
    async def add_fault(request: Request) -> Response:
        """Put a fault in force, after those added before it and ahead of the built-in ones."""
        try:
            fault = msgspec.json.decode(await request.body(), type=Fault)
        except msgspec.ValidationError as error:
            detail, _, path = str(error).partition(" - at `$")
            return _problem(
                422, "This is not a fault.", Mistake(pointer=path.rstrip("`").replace(".", "/"), detail=detail)
            )
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            return _problem(400, "The body is not JSON.", Mistake(pointer="", detail=str(error)))
        return Json(_described(faults.add(fault)), status_code=201)

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


def _summary(mail: Mail) -> dict[str, Any]:
    return {
        "id": mail.id,
        "at": rfc3339(mail.at),
        "mail_from": mail.mail_from,
        "recipients": mail.recipients,
        "subject": reading.subject(mail.raw),
        "text": reading.text(mail.raw),
        "message_id": reading.message_id(mail.raw),
        "size": mail.size,
    }


def _described(rule: Rule) -> dict[str, Any]:
    return msgspec.structs.asdict(rule.fault) | {"builtin": rule.builtin, "applied": rule.applied}


def _problem(status: int, detail: str, *mistakes: Mistake) -> Response:
    """Return an error as RFC 9457 has it."""
    body = {"type": "about:blank", "status": status, "detail": detail, "errors": mistakes}
    return Json(body, status_code=status, media_type="application/problem+json")
