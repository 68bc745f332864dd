"""The routes that providers of email call, to tell later what became of mails.

They need no API key: what comes is believed for its signature, and refused with 403 without one. A provider repeats
what it is answered 5xx, so that is what it gets while the log cannot take it.
"""

from collections.abc import Awaitable, Callable
from typing import NamedTuple

from fastapi import APIRouter, Request, Response
from fastapi.routing import APIRoute

from channels.email import api, resend
from channels.email.receiving import Receiving
from channels.email.resend_callbacks import ResendCallbacks
from channels.email.resend_settings import RESEND, ResendSettings
from channels.email.ses_settings import SES, SesSettings
from tocsin.clock import Clock
from tocsin.settings import secret_files
from tocsin.settings.fresh import Fresh
from tocsin.settings.values import Settings
from tocsin.web import body
from tocsin.web.problems import ProblemError

SES_PATH = "/v1/callbacks/ses"
RESEND_PATH = "/v1/callbacks/resend"

_MOST_BYTES = 512 * 1024

Handle = Callable[[Request, bytes], Awaitable[bool]]


class Callbacks(NamedTuple):
    """Routes, and what closes the connections that they hold."""

    router: APIRouter
    aclose: Callable[[], Awaitable[None]]


def callbacks(settings: Settings, receiving: Receiving, clock: Clock) -> Callbacks:
    """Return the routes of the providers that are set up to call. Raises SettingsError."""
    routes = APIRouter(route_class=APIRoute)
    closing: list[Callable[[], Awaitable[None]]] = []
    by_ses = settings.section(SES, SesSettings)
    if by_ses.sns_topic is not None:
        # What signatures are checked with is several megabytes.
        from channels.email.ses_callbacks import SesCallbacks  # noqa: PLC0415
        from channels.email.sns import Sns, host_of  # noqa: PLC0415

        url = by_ses.sns_url or host_of(by_ses.sns_topic)
        http = api.client("ses.sns_url", url, by_ses, clock)
        closing.append(http.aclose)
        _add(routes, SES_PATH, SesCallbacks(Sns(by_ses.sns_topic, url=url, http=http), receiving, clock=clock).take)
    if resend.webhook_secret(settings.section(RESEND, ResendSettings)) is not None:
        _add(routes, RESEND_PATH, _by_resend(settings, receiving, clock))

    async def aclose() -> None:
        for close in closing:
            await close()

    return Callbacks(routes, aclose)


def _by_resend(settings: Settings, receiving: Receiving, clock: Clock) -> Handle:
    """Return what takes Resend's calls, by the secret that its file has at the moment."""
    ours = settings.section(RESEND, ResendSettings)

    def make(_before: ResendCallbacks | None) -> ResendCallbacks:
        return ResendCallbacks(resend.webhook_secret(ours) or "", receiving, clock=clock)

    fresh = Fresh(make, secret_files.named(settings, {RESEND: ResendSettings}))
    return lambda request, raw: fresh.get().take(request, raw)


def _add(to: APIRouter, path: str, handle: Handle) -> None:
    async def answer(request: Request) -> Response:
        raw = await body.read(request, limit=_MOST_BYTES)
        if not await handle(request, raw):
            raise ProblemError(403, "forbidden", "The signature is missing or wrong.")
        return Response(status_code=204)

    # Not for people who read the OpenAPI: nobody but the provider can sign.
    to.add_api_route(path, answer, methods=["POST"], include_in_schema=False, route_class_override=APIRoute)
