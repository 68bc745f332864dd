"""The routes that providers call: receipts of texts, and texts that people write back.

They need no API key: what comes is believed for its signature, and refused with 403 without one. A provider repeats
what it is answered 5xx, so that is what it gets while the log or the store cannot take it.
"""

from collections.abc import Awaitable, Callable

from fastapi import APIRouter, Request, Response
from fastapi.routing import APIRoute

from channels.sms import twilio, vonage
from channels.sms.inbox import Inbox
from channels.sms.settings import SMS, TWILIO, VONAGE, SmsSettings, TwilioSettings, VonageSettings
from channels.sms.twilio_callbacks import TwilioCallbacks
from channels.sms.vonage_callbacks import VonageCallbacks
from tocsin.clock import Clock
from tocsin.runtime.service import Context
from tocsin.settings.values import Settings
from tocsin.store.suppressions import Suppressions
from tocsin.web import body
from tocsin.web.problems import ProblemError

_MOST_BYTES = 64 * 1024

Handle = Callable[[Request, bytes], Awaitable[bool]]


def router(context: Context) -> APIRouter:
    """Return the routes of the providers that are in use; none where no provider knows how to reach us."""
    suppressions = Suppressions(store=context.store, clock=context.clock)
    inbox = Inbox(publisher=context.publisher, suppressions=suppressions, metrics=context.metrics, clock=context.clock)
    return routes(context.settings, inbox, context.clock)


def routes(settings: Settings, inbox: Inbox, clock: Clock) -> APIRouter:
    """Return the routes that these settings ask for. Raises SettingsError."""
    ours = settings.section(SMS, SmsSettings)
    found = APIRouter(route_class=APIRoute)
    if ours.public_url and TWILIO in ours.routes:
        token = twilio.account(settings.section(TWILIO, TwilioSettings)).auth_token
        if token is not None:
            by_twilio = TwilioCallbacks(token, public_url=ours.public_url, inbox=inbox)
            _add(found, twilio.STATUS_PATH + "{reference}", by_twilio.status, "POST")
            _add(found, twilio.INBOUND_PATH, by_twilio.inbound, "POST")
    if ours.public_url and VONAGE in ours.routes:
        by_vonage = VonageCallbacks(vonage.account(settings.section(VONAGE, VonageSettings)), inbox=inbox, clock=clock)
        # Which of the two it is, is a setting of the account.
        _add(found, vonage.STATUS_PATH, by_vonage.status, "GET", "POST")
        _add(found, vonage.INBOUND_PATH, by_vonage.inbound, "GET", "POST")
    return found


def _add(to: APIRouter, path: str, handle: Handle, *methods: str) -> None:
    async def answer(request: Request) -> Response:
        raw = await body.read(request, limit=_MOST_BYTES)
        if not await handle(request, raw):
            raise ProblemError(403, "forbidden", "The signature is missing or wrong.")
        return Response(status_code=204)

    # Not for people who read the OpenAPI: nobody but the provider can sign.
    to.add_api_route(path, answer, methods=list(methods), include_in_schema=False, route_class_override=APIRoute)
