"""The routes that providers call: receipts of texts, and texts that people write back.

They need no API key: what comes is believed for its signature, and refused with 403 without one. A provider repeats
what it is answered 5xx, so that is what it gets while the log or the store cannot take it.
"""

from collections.abc import Awaitable, Callable
from functools import partial

from fastapi import APIRouter, Request, Response
from fastapi.routing import APIRoute

from channels.sms import twilio, vonage
from channels.sms.firsts import FirstCallbacks
from channels.sms.inbox import Inbox
from channels.sms.settings import SMS, TWILIO, VONAGE, SmsSettings, TwilioSettings, VonageSettings
from channels.sms.twilio_callbacks import TwilioCallbacks
from channels.sms.vonage_callbacks import VonageCallbacks
from tocsin import receipts
from tocsin.clock import Clock
from tocsin.runtime.service import Context
from tocsin.settings import secret_files, sections
from tocsin.settings.fresh import Fresh
from tocsin.settings.values import Settings
from tocsin.store.suppressions import Suppressions
from tocsin.web import body
from tocsin.web.problems import ProblemError

_MOST_BYTES = 64 * 1024

Handle = Callable[[Request, bytes], Awaitable[bool]]


def router(context: Context) -> APIRouter:
    """Return the routes of the providers that are in use; none where no provider knows how to reach us."""
    suppressions = Suppressions(store=context.store, clock=context.clock)
    inbox = Inbox(
        publisher=context.publisher,
        suppressions=suppressions,
        firsts=FirstCallbacks(context.ledger, context.clock),
        metrics=context.metrics,
        clock=context.clock,
        on_verdict=partial(context.wakeups.tell, receipts.JUDGED),
    )
    return routes(context.settings, inbox, context.clock)


def routes(settings: Settings, inbox: Inbox, clock: Clock) -> APIRouter:
    """Return the routes that these settings ask for. Raises SettingsError."""
    ours = settings.section(SMS, SmsSettings)
    public_url = settings.section("http", sections.Http).public_url
    found = APIRouter(route_class=APIRoute)
    if public_url and TWILIO in ours.routes:
        _add_twilio(found, settings, public_url, inbox)
    if public_url and VONAGE in ours.routes:
        _add_vonage(found, settings, inbox, clock)
    return found


def _add_twilio(to: APIRouter, settings: Settings, public_url: str, inbox: Inbox) -> None:
    ours = settings.section(TWILIO, TwilioSettings)
    if twilio.account(ours).auth_token is None:
        return

    def make(before: TwilioCallbacks | None) -> TwilioCallbacks:
        token = twilio.account(ours).auth_token or ""
        return TwilioCallbacks(token, public_url=public_url, inbox=inbox, before=before)

    fresh = Fresh(make, secret_files.named(settings, {TWILIO: TwilioSettings}))
    _add(to, twilio.STATUS_PATH + "{reference}", lambda *call: fresh.get().status(*call), "POST")
    _add(to, twilio.INBOUND_PATH, lambda *call: fresh.get().inbound(*call), "POST")


def _add_vonage(to: APIRouter, settings: Settings, inbox: Inbox, clock: Clock) -> None:
    ours = settings.section(VONAGE, VonageSettings)

    def make(before: VonageCallbacks | None) -> VonageCallbacks:
        return VonageCallbacks(vonage.account(ours), inbox=inbox, clock=clock, before=before)

    fresh = Fresh(make, secret_files.named(settings, {VONAGE: VonageSettings}))
    # Which of the two it is, is a setting of the account.
    _add(to, vonage.STATUS_PATH, lambda *call: fresh.get().status(*call), "GET", "POST")
    _add(to, vonage.INBOUND_PATH, lambda *call: fresh.get().inbound(*call), "GET", "POST")


def _add(to: APIRouter, path: str, handle: Handle, *methods: str) -> None:
    async def answer(request: Request) -> Response:
        raw = await body.read(request, limit=_MOST_BYTES)
        if not await handle(request, raw):
            raise ProblemError(403, "forbidden", "The signature is missing or wrong.")
        return Response(status_code=204)

    # Not for people who read the OpenAPI: nobody but the provider can sign.
    to.add_api_route(path, answer, methods=list(methods), include_in_schema=False, route_class_override=APIRoute)
