"""The HTTP control of the server: what was received, and the faults in force.

Every route is `async`, so that it runs in the loop of the SMTP server, with which it shares its state.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Query, Request, Response

from simulators.smtp import pages, reading, submitted
from simulators.smtp.faults import Fault, Faults, Rule
from simulators.smtp.mailbox import Mail, Mailbox
from tocsin import validation
from tocsin.clock import rfc3339


def router(*, mailbox: Mailbox, faults: Faults) -> APIRouter:
    """Return the routes of one server. Links between the pages are relative, so it can be mounted anywhere."""
    routes = APIRouter(tags=["smtp simulator"])
    routes.include_router(_messages(mailbox))
    routes.include_router(_faults(faults))
    routes.include_router(pages.router(mailbox=mailbox, faults=faults))
    return routes


def _messages(mailbox: Mailbox) -> APIRouter:
    routes = APIRouter()

    @routes.get("/messages")
    async def list_messages(
        recipient: str | None = None, limit: Annotated[int, Query(ge=1, le=10_000)] = 100
    ) -> Response:
        """List the mails that are kept, the newest first, of one recipient or of all."""
        newest = zip(range(limit), mailbox.newest(recipient=recipient), strict=False)
        return _json({"messages": [_summary(mail) for _, mail in newest]})

    @routes.get("/messages/{mail_id}")
    async def get_message(mail_id: int) -> Response:
        """Return a mail with its text and its source. What is not UTF-8 in them is replaced."""
        mail = mailbox.get(mail_id)
        if mail is None:
            return _no_such_mail()
        return _json(_summary(mail) | {"text": reading.text(mail.raw), "source": reading.source(mail.raw)})

    @routes.get("/messages/{mail_id}/source")
    async def get_source(mail_id: int) -> Response:
        """Return the exact bytes of a mail."""
        mail = mailbox.get(mail_id)
        if mail is None:
            return _no_such_mail()
        # As plain text a browser shows it, and with `nosniff` it takes no HTML in it for a page.
        return Response(mail.raw, media_type="text/plain", headers={"X-Content-Type-Options": "nosniff"})

    @routes.get("/counts")
    async def count() -> Response:
        """Count what was received, mails that are no longer kept included."""
        return _json({"total": mailbox.total, "kept": mailbox.kept, "by_recipient": dict(mailbox.by_recipient)})

    @routes.delete("/messages", status_code=204)
    async def clear() -> Response:
        """Forget every mail and every count."""
        mailbox.clear()
        return Response(status_code=204)

    return routes


def _faults(faults: Faults) -> APIRouter:
    routes = APIRouter()
    reader = submitted.Reader()

    @routes.get("/faults")
    async def list_faults() -> Response:
        """List the faults in force, in the order in which they are tried."""
        return _json({"faults": [_described(rule) for rule in faults]})

    @routes.post("/faults", status_code=201, openapi_extra=_fault_body())
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


def _fault_body() -> dict[str, Any]:
    content = {"schema": submitted.schema(), "example": submitted.EXAMPLE}
    return {"requestBody": {"required": True, "content": {"application/json": content}}}


def _summary(mail: Mail) -> dict[str, Any]:
    return {
        "id": mail.id,
        "at": rfc3339(mail.at),
        "mail_from": mail.mail_from,
        "recipients": mail.recipients,
        "subject": reading.subject(mail.raw),
        "message_id": reading.message_id(mail.raw),
        "size": mail.size,
    }


def _described(rule: Rule) -> dict[str, Any]:
    return msgspec.structs.asdict(rule.fault) | {"builtin": rule.builtin, "applied": rule.applied}


def _json(value: Mapping[str, Any], *, status: int = 200, media_type: str = "application/json") -> Response:
    return Response(msgspec.json.encode(value), status_code=status, media_type=media_type)


def _no_such_mail() -> Response:
    return _problem(404, "There is no such mail, or it is no longer kept.", ())


def _problem(status: int, detail: str, mistakes: Sequence[validation.Fault]) -> Response:
    """Return an error as RFC 9457 has it."""
    body = {"type": "about:blank", "status": status, "detail": detail, "errors": mistakes}
    return _json(body, status=status, media_type="application/problem+json")
