"""The HTTP control of a simulator: what was received, and the faults in force.

Every route is `async`, so that it runs in the loop of the routes that it shares its state with.
"""

from functools import partial
from typing import Any

from fastapi import APIRouter, Response

from simulators import received
from simulators.control import body, decoded, faults_router, schema
from simulators.mail import pages
from simulators.mail.faults import Fault, Faults
from simulators.smtp import reading
from simulators.smtp.control import source
from simulators.smtp.mailbox import Mail, Mailbox
from tocsin.clock import rfc3339

_EXAMPLE = {"recipients": "*@slow.example", "status": 429, "error": "TooManyRequestsException", "times": 3}


def router(*, name: str, mailbox: Mailbox, faults: Faults) -> APIRouter:
    """Return the control of one simulator. Links in its page are relative, so it can be mounted anywhere."""
    routes = APIRouter(tags=[f"{name} simulator"])
    routes.include_router(received.router(mailbox, _summary))
    read = partial(decoded, kind=Fault, unfit="This is not a fault.")
    routes.include_router(faults_router(faults, read, openapi=body(schema(Fault), _EXAMPLE)))
    routes.include_router(pages.router(name=name, mailbox=mailbox, faults=faults))

    @routes.get("/messages/{mail_id}/source")
    async def get_source(mail_id: int) -> Response:
        """Return the exact bytes of a mail."""
        return source(mailbox, mail_id)

    return routes


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
