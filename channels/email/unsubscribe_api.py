"""`/v1/unsubscribe/<token>`: the link in a mail. GET asks, since scanners open links; POST unsubscribes (RFC 8058).

It needs no API key: the sealed token says who it is, and nobody can make one. What is done is told to the audit, from
which the suppression follows; doing it again is the same event.
"""

import email
from collections.abc import Callable
from datetime import datetime
from itertools import islice
from urllib.parse import parse_qsl

from fastapi import APIRouter, Request, Response
from fastapi.routing import APIRoute

from channels.email import unsubscribe_page as page
from channels.email import unsubscribe_settings
from channels.email.settings import SECTION, EmailSettings
from channels.email.unsubscribe import ONE_CLICK, PATH, Links, Subscriber
from tocsin import ids
from tocsin.clock import Clock
from tocsin.envelope import audit_record
from tocsin.eventlog.port import Publisher
from tocsin.lifecycle import AuditEvent, Event
from tocsin.runtime.service import Context
from tocsin.settings import secret_files, sections
from tocsin.settings.fresh import Fresh
from tocsin.settings.values import Settings
from tocsin.web import body

CHANNEL = "email"
SOURCE = "unsubscribe_link"

Read = Callable[[str], Subscriber | None]

_MOST_BYTES = 4096
_MOST_FIELDS = 20


def of(context: Context) -> APIRouter:
    """Return the routes; none where no secret is set. Raises SettingsError."""
    read = reading(context.settings)
    return APIRouter() if read is None else router(read, publisher=context.publisher, clock=context.clock)


def router(read: Read, *, publisher: Publisher, clock: Clock) -> APIRouter:
    """Return the routes. `read` says whose token it is, None for one that is none of ours."""
    return _Api(read, publisher, clock).router


def reading(settings: Settings) -> Read | None:
    """Return what reads tokens with the secrets as their files have them now, None where no secret is set.

    Raises SettingsError.
    """
    ours = settings.section(SECTION, EmailSettings)
    public_url = settings.section("http", sections.Http).public_url

    def make(before: Links | None) -> Links | None:
        return unsubscribe_settings.links(ours, public_url=public_url, before=before)

    named = secret_files.named(settings, {SECTION: EmailSettings})
    fresh = Fresh(make, {key: path for key, path in named.items() if key.startswith("email.unsubscribe_")})
    if fresh.get() is None:
        return None

    def read(token: str) -> Subscriber | None:
        links = fresh.get()
        return None if links is None else links.read(token)

    return read


def unsubscribed(subscriber: Subscriber, *, now: datetime) -> AuditEvent:
    """Return the event. It belongs to the notification whose mail had the link; told twice, it is the same."""
    kind = Event.RECEIPT_UNSUBSCRIBED
    return AuditEvent(
        id=ids.derived(ids.EVENT, subscriber.notification_id, kind, subscriber.address, subscriber.category),
        type=kind,
        time=now,
        tenant=subscriber.tenant,
        notification_id=subscriber.notification_id,
        data={
            "channel": CHANNEL,
            "provider": SOURCE,
            "address": subscriber.address,
            "category": subscriber.category,
        },
    )


def is_one_click(raw: bytes, content_type: str) -> bool:
    """Return whether a form asks to unsubscribe, in either of the types that RFC 8058, section 3.2, has."""
    try:
        if content_type.partition(";")[0].strip().lower() == "multipart/form-data":
            return ONE_CLICK in _parts(raw, content_type)
        return ONE_CLICK in parse_qsl(raw.decode(), max_num_fields=_MOST_FIELDS)
    except (TypeError, ValueError):
        # The library sorts the numbers of a parameter's pieces (RFC 2231), and one without a number breaks that.
        return False


class _Api:
    """The routes and what they need."""

    def __init__(self, read: Read, publisher: Publisher, clock: Clock) -> None:
        self._read = read
        self._publisher = publisher
        self._clock = clock
        self.router = APIRouter(route_class=APIRoute)
        for handle, method in ((self._ask, "GET"), (self._unsubscribe, "POST")):
            # Not for people who read the OpenAPI: links are made by us alone.
            self.router.add_api_route(
                PATH + "{token}", handle, methods=[method], include_in_schema=False, route_class_override=APIRoute
            )

    async def _ask(self, request: Request) -> Response:
        lang = _language(request)
        subscriber = self._read(request.path_params["token"])
        if subscriber is None:
            return _answer(page.missing(lang), 404)
        return _answer(page.ask(subscriber.category, lang))

    async def _unsubscribe(self, request: Request) -> Response:
        raw = await body.read(request, limit=_MOST_BYTES)
        lang = _language(request)
        subscriber = self._read(request.path_params["token"])
        if subscriber is None:
            return _answer(page.missing(lang), 404)
        if not is_one_click(raw, request.headers.get("content-type", "")):
            return _answer(page.refused(lang), 400)
        await self._publisher.write([audit_record(unsubscribed(subscriber, now=self._clock.now()))])
        return _answer(page.done(subscriber.category, lang))


def _language(request: Request) -> str:
    return page.language(request.headers.get("accept-language", ""))


def _answer(text: str, status: int = 200) -> Response:
    return Response(text, status_code=status, media_type="text/html", headers=dict(page.HEADERS))


def _parts(raw: bytes, content_type: str) -> list[tuple[str, str]]:
    head = f"Content-Type: {content_type}\r\n\r\n".encode("latin-1", "replace")
    message = email.message_from_bytes(head + raw)
    found: list[tuple[str, str]] = []
    for part in islice(message.walk(), 1, _MOST_FIELDS):
        name, value = part.get_param("name", header="content-disposition"), part.get_payload()
        if isinstance(name, str) and isinstance(value, str):
            found.append((name, value.strip()))
    return found
