"""What an email API tells later of the mails that it took: by itself, as the recipient asks for, and when told to."""

from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Annotated, Literal, NamedTuple

import msgspec
from fastapi import APIRouter, Request, Response

from simulators.control import body, decoded, problem, schema
from simulators.sms.callbacks import Caller
from simulators.smtp import reports
from simulators.smtp.mailbox import Mail
from tocsin.net import http
from tocsin.web.responses import Json

Kind = Literal["delivered", "bounced", "full", "delayed", "complained"]

_MOST_SENT = 10_000


class Sent(NamedTuple):
    """A mail that was taken, the API's name for it, and the tags that it came with."""

    mail: Mail
    provider_id: str
    tags: Mapping[str, str]


class Endpoint(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whom to tell."""

    url: Annotated[str, msgspec.Meta(pattern="^https?://[!-~]+$", max_length=400)]


class Teller:
    """Posts events to an endpoint. `made` returns the headers and the body of an event."""

    def __init__(
        self, caller: Caller, *, url: str, made: Callable[[Kind, Sent], tuple[Mapping[str, str], bytes]]
    ) -> None:
        self._caller = caller
        self._made = made
        self._sent: OrderedDict[int, Sent] = OrderedDict()
        self.url = url

    def took(self, sent: Sent) -> None:
        """Tell of a mail in the background: that it was delivered, or what its recipient asks for.

        Not of one without tags: whoever sent that does not wait to be told.
        """
        self._sent[sent.mail.id] = sent
        if len(self._sent) > _MOST_SENT:
            self._sent.popitem(last=False)
        if sent.tags:
            self._caller.call([self._request(reports.kind_for(sent.mail.recipients[0]) or "delivered", sent)])

    def find(self, mail_id: int) -> Sent | None:
        """Return a mail that was taken, None if it is no longer kept."""
        return self._sent.get(mail_id)

    async def tell(self, kind: Kind, sent: Sent) -> int | None:
        """Tell of a mail now; return the status of the answer, None if there is none."""
        return await self.post(*self._made(kind, sent))

    async def post(self, headers: Mapping[str, str], raw: bytes) -> int | None:
        """Post something else to the endpoint; return the status of the answer, None if there is none."""
        return await self._caller.ask(http.Request(method="POST", url=self.url, headers=headers, body=raw))

    def _request(self, kind: Kind, sent: Sent) -> http.Request:
        headers, raw = self._made(kind, sent)
        return http.Request(method="POST", url=self.url, headers=headers, body=raw)


def router(teller: Teller) -> APIRouter:
    """Return the routes by which somebody tells whom to tell, and of what."""
    routes = APIRouter()

    @routes.post("/messages/{mail_id}/events/{kind}")
    async def tell(mail_id: int, kind: Kind) -> Response:
        """Tell of a mail that it was delivered, bounced, met a full mailbox, is delayed or was complained about."""
        sent = teller.find(mail_id)
        if sent is None:
            return problem(404, "There is no such mail, or it is no longer kept.", ())
        return Json({"status": await teller.tell(kind, sent)})

    @routes.put("/endpoint", openapi_extra=body(schema(Endpoint), {"url": "http://127.0.0.1:8080/v1/callbacks/ses"}))
    async def set_endpoint(request: Request) -> Response:
        """Say whom to tell from now on."""
        found = decoded(await request.body(), Endpoint, unfit="This is not an endpoint.")
        if isinstance(found, Response):
            return found
        teller.url = found.url
        return Json({"url": teller.url})

    return routes
