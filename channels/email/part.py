"""What email adds where notifications are taken in: the ways in which mail comes back, or is told of,
and the links with which people unsubscribe.
"""

from functools import partial

from fastapi import APIRouter

from channels.email import bounce_intake, callbacks, unsubscribe_api
from channels.email.bounces_settings import BOUNCES, BouncesSettings
from channels.email.receiving import Receiving
from tocsin import receipts
from tocsin.consume.loop import Loop
from tocsin.runtime.service import Context, Part


def part(context: Context) -> Part:
    """Return the routes and the listener that the settings ask for. Raises SettingsError."""
    judged = partial(context.wakeups.tell, receipts.JUDGED)
    receiving = Receiving(publisher=context.publisher, metrics=context.metrics, on_verdict=judged)
    called = callbacks.callbacks(context.settings, receiving, context.clock)
    routes = APIRouter()
    routes.include_router(called.router)
    routes.include_router(unsubscribe_api.of(context))
    loops: list[Loop] = []
    intake = bounce_intake.intake(context.settings, receiving, context.clock)
    if intake is not None:
        from channels.email import bounce_listener, bounces_api  # noqa: PLC0415 - with the SMTP server they stand on

        settings = context.settings.section(BOUNCES, BouncesSettings)
        routes.include_router(bounces_api.router(intake, max_bytes=settings.max_bytes))
        listener = bounce_listener.listener(settings, intake)
        loops += [] if listener is None else [listener]
    return Part(router=routes, loops=loops, aclose=called.aclose)
