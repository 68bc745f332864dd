"""`/v1/inbox`: tickets for backends, and for pages with a ticket what is in an inbox and what comes into it.

A page has no API key. Its backend, which knows who is signed in, gets it a ticket, as it does with registrations.
"""

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from fastapi.routing import APIRoute
from starlette.responses import Response

from channels.browser import inbox_cors, inbox_docs, inbox_views
from channels.browser.inbox import Inboxes
from channels.browser.inbox_hub import Hub
from channels.browser.inbox_key import TicketKey
from channels.browser.inbox_message import Owner
from channels.browser.inbox_receipts import ReadReceipts
from channels.browser.inbox_stream import HEARTBEAT, Events, EventStream, Listening
from channels.browser.inbox_tickets import Ticket
from channels.browser.settings import InboxSettings
from tocsin.clock import Clock, rfc3339
from tocsin.validation import Fault, Schema
from tocsin.web import body, paging, problems
from tocsin.web.auth import Principal, requires
from tocsin.web.problems import ProblemError
from tocsin.web.responses import Json

Submitter = Annotated[Principal, Depends(requires("submit"))]
TicketText = Annotated[str, Query(alias="ticket", description="From `POST /v1/inbox/tickets`.")]
Seen = Annotated[str | None, Query(description="The `id` of the last event that was seen; the header of it wins.")]

_PREFIX = "/v1/inbox"
_MAX_BODY = 32 * 1024
_MAX_NUMBER = 2**63 - 1


class InboxApi:
    """The routes and what they need."""

    def __init__(
        self,
        settings: InboxSettings,
        *,
        inboxes: Inboxes,
        hub: Hub,
        key: TicketKey,
        receipts: ReadReceipts,
        clock: Clock,
    ) -> None:
        self._lifetime = timedelta(seconds=settings.ticket_seconds)
        self._inboxes = inboxes
        self._hub = hub
        self._key = key
        self._receipts = receipts
        self._clock = clock
        self._events_of = Events(inboxes, hub, clock=clock)
        self._wanted_ticket = Schema(inbox_docs.wanted_ticket())
        self._wanted_read = Schema(inbox_docs.wanted_read())
        self._origins = inbox_cors.checked(settings.origins)
        self.router = APIRouter(prefix=_PREFIX, tags=["inbox"], route_class=inbox_cors.route_class(self._origins))
        self._add_routes()

    def _add_routes(self) -> None:
        add = self.router.add_api_route
        # For backends only: no page of another origin has an API key to ask with.
        add(
            "/tickets",
            self._make_ticket,
            methods=["POST"],
            status_code=201,
            route_class_override=APIRoute,
            **inbox_docs.ticket(),
        )
        add("/events", self._events, methods=["GET"], **inbox_docs.events())
        add("/messages", self._messages, methods=["GET"], **inbox_docs.messages())
        add("/read", self._read, methods=["POST"], status_code=204, **inbox_docs.read())
        for path, methods in (("/events", "GET"), ("/messages", "GET"), ("/read", "POST")):
            if self._origins:
                inbox_cors.add_preflight(self.router, path, methods=methods)

    async def _make_ticket(self, request: Request, principal: Submitter) -> Response:
        """Ask for one for whoever is signed in, and give it to their page. It cannot be taken back."""
        wanted = body.decode(await body.read(request, limit=_MAX_BODY))
        if faults := self._wanted_ticket.faults(wanted):
            raise problems.invalid(*faults)
        owner = Owner(principal.tenant, wanted["recipient_id"])
        made = Ticket(owner=owner, expires_at=self._clock.now() + self._lifetime)
        text = (await self._key.tickets()).write(made)
        view = {"ticket": text, "recipient_id": owner.recipient_id, "expires_at": rfc3339(made.expires_at)}
        return Json(view, 201, headers={"Cache-Control": "no-store"})

    async def _events(self, request: Request, ticket: TicketText, last_event_id: Seen = None) -> Response:
        """For an `EventSource`, which comes back by itself with the id that it saw last and misses nothing that the
        inbox still holds. Without an id it begins with what comes next."""
        opened = await self._opened(ticket)
        after = _number(request.headers.get("last-event-id") or last_event_id)
        newest = (await self._inboxes.standing(opened.owner)).newest
        if self._hub.closing:
            raise problems.unavailable("The gateway is stopping.", retry_after=HEARTBEAT)
        if not self._hub.room_for(opened.owner):
            detail = "Too many pages listen already: to this inbox, or to all of them together."
            raise problems.too_many_requests(detail, retry_after=HEARTBEAT)
        # An id above the newest is of another database: what comes next would never be above it.
        after = newest if after is None else min(after, newest)
        listening = Listening(owner=opened.owner, after=after, until=opened.expires_at)
        return EventStream(listening, events=self._events_of, hub=self._hub)

    async def _messages(
        self, ticket: TicketText, limit: paging.Limit = paging.DEFAULT_LIMIT, cursor: paging.Cursor = None
    ) -> Response:
        """`newest` is the id to listen from with `last_event_id`: nothing that comes after this page is missed."""
        opened = await self._opened(ticket)
        before = None if cursor is None else paging.read(cursor, int)
        # How it stands is asked first: what comes in between is told twice rather than never.
        standing = await self._inboxes.standing(opened.owner)
        found = await self._inboxes.latest(opened.owner, before=before, limit=limit + 1)
        items, next_cursor = paging.page(found, limit=limit, position=lambda message: message.number)
        view = {"items": [inbox_views.message(each) for each in items], "next_cursor": next_cursor}
        told = {**view, "newest": standing.newest, "unread": standing.unread}
        return Json(told, headers={"Cache-Control": "no-store"})

    async def _read(self, request: Request, ticket: TicketText) -> Response:
        """Repeating it does no harm. The audit of each notification gets the receipt `tocsin.receipt.read`."""
        opened = await self._opened(ticket)
        wanted = body.decode(await body.read(request, limit=_MAX_BODY))
        if faults := self._wanted_read.faults(wanted):
            raise problems.invalid(*faults)
        await self._receipts.acknowledge(opened.owner, sorted(set(wanted["ids"])))
        return Response(status_code=204)

    async def _opened(self, text: str) -> Ticket:
        ticket = (await self._key.tickets()).read(text, now=self._clock.now())
        if ticket is None:
            raise ProblemError(401, "ticket-needed", "The ticket is not valid, or has expired. Ask for a new one.")
        return ticket


def _number(text: str | None) -> int | None:
    """Return the number in an event's id. Raises ProblemError 422 for what is none of ours."""
    if text is None:
        return None
    if not text.isascii() or not text.isdecimal() or int(text) > _MAX_NUMBER:
        raise problems.invalid(Fault(pointer="/last_event_id", detail="is not the id of an event"))
    return int(text)
