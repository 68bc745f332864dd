"""The HTTP control of the server: what was received, and the faults in force.

Every route is `async`, so that it runs in the loop of the SMTP server, with which it shares its state.
"""

from typing import Any

from fastapi import APIRouter, Response

from simulators import received
from simulators.control import Reader, body, faults_router, problem
from simulators.smtp import pages, reading, submitted
from simulators.smtp.faults import Fault, Faults
from simulators.smtp.mailbox import Mail, Mailbox
from simulators.smtp.reports import Kind
from simulators.smtp.returning import Returner
from tocsin.clock import rfc3339
from tocsin.web.responses import Json


def router(*, mailbox: Mailbox, faults: Faults, returner: Returner | None = None) -> APIRouter:
    """Return the routes of one server. Links between the pages are relative, so it can be mounted anywhere.

    With a `returner` a mail can be told of as if it came back.
    """
    routes = APIRouter(tags=["smtp simulator"])
    routes.include_router(_messages(mailbox))
    if returner is not None:
        routes.include_router(_reports(mailbox, returner))
    routes.include_router(received.router(mailbox, _summary))
    read = Reader(Fault, submitted.schema()).read
    routes.include_router(faults_router(faults, read, openapi=body(submitted.schema(), submitted.EXAMPLE)))
    routes.include_router(pages.router(mailbox=mailbox, faults=faults))
    return routes


def _messages(mailbox: Mailbox) -> APIRouter:
    routes = APIRouter()

    @routes.get("/messages/{mail_id}")
    async def get_message(mail_id: int) -> Response:
        """Return a mail with its text and its source. What is not UTF-8 in them is replaced."""
        mail = mailbox.get(mail_id)
        if mail is None:
            return _no_such_mail()
        return Json(_summary(mail) | {"text": reading.text(mail.raw), "source": reading.source(mail.raw)})

    @routes.get("/messages/{mail_id}/source")
    async def get_source(mail_id: int) -> Response:
        """Return the exact bytes of a mail."""
        return source(mailbox, mail_id)

    return routes


def _reports(mailbox: Mailbox, returner: Returner) -> APIRouter:
    routes = APIRouter()

    @routes.post("/messages/{mail_id}/reports/{kind}")
    async def bring_report(mail_id: int, kind: Kind) -> Response:
        """Tell of a mail that it bounced, met a full mailbox, is delayed or was complained about."""
        mail = mailbox.get(mail_id)
        if mail is None:
            return _no_such_mail()
        return Json({"reply": await returner.tell(kind, mail)})

    return routes


def source(mailbox: Mailbox, mail_id: int) -> Response:
    """Return the exact bytes of a mail."""
    mail = mailbox.get(mail_id)
    if mail is None:
        return _no_such_mail()
    # As plain text a browser shows it, and with `nosniff` it takes no HTML in it for a page.
    return Response(mail.raw, media_type="text/plain", headers={"X-Content-Type-Options": "nosniff"})


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


def _no_such_mail() -> Response:
    return problem(404, "There is no such mail, or it is no longer kept.", ())
