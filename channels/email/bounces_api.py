"""`POST /v1/email/bounces`: a message that came back, as it is, such as from the pipe of a mail server.

It needs an API key with the scope `submit`, so that strangers cannot make us read their mail; what is in it is believed
for its token only, as over LMTP.
"""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from channels.email.bounce_intake import BounceIntake
from tocsin.web import body
from tocsin.web.auth import Principal, requires
from tocsin.web.described import TEXT, answer, record
from tocsin.web.responses import Json

Submitter = Annotated[Principal, Depends(requires("submit"))]

PATH = "/v1/email/bounces"

_EXAMPLE = """\
To: bounce+01jd…@bounces.example.com
Content-Type: multipart/report; report-type=delivery-status; boundary=x

--x
Content-Type: message/delivery-status

Reporting-MTA: dns; mail.example.com

Original-Recipient: rfc822; ada@example.com
Action: failed
Status: 5.1.1
Diagnostic-Code: smtp; 550 5.1.1 no such user

--x--
"""


def router(intake: BounceIntake, *, max_bytes: int) -> APIRouter:
    """Return the route."""
    routes = APIRouter(tags=["email"])

    @routes.post(PATH, status_code=202, **_described())
    async def take(request: Request, _principal: Submitter) -> Response:
        """Take a bounce or a complaint, as the message that it is. Repeating it does no harm.

        What is in it is believed if it came back to a return path that this gateway made, or names one; else the
        result is `unmatched`, and nothing happens.
        """
        raw = await body.read(request, limit=max_bytes)
        return Json({"result": await intake.take(raw)}, 202)

    return routes


def _described() -> dict[str, Any]:
    schema = {"type": "string", "format": "binary"}
    content = {"message/rfc822": {"schema": schema, "example": _EXAMPLE}}
    found = answer("What it was, which is durable", record({"result": TEXT}), {"result": "bounced"})
    return {
        "summary": "Hand in a message that came back",
        "openapi_extra": {"requestBody": {"required": True, "content": content}},
        "responses": {202: found},
    }
