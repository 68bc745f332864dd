"""What the channel stands on, made from the settings: only a gateway that uses the channel imports it."""

from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import APIRouter

from channels.browser import inbox_part, keys, registrations_api
from channels.browser.carrier import BrowserCarrier
from channels.browser.inbox import Inboxes
from channels.browser.inbox_post import Post
from channels.browser.inbox_provider import InboxProvider
from channels.browser.registrations import Registrations
from channels.browser.settings import (
    BROWSER,
    INBOX,
    WEBPUSH,
    BrowserSettings,
    InboxSettings,
    WebPushSettings,
    endpoint_policy,
    has_inbox,
    pushes,
)
from channels.browser.webpush import NAME
from channels.provider import Carrier
from tocsin.errors import SettingsError
from tocsin.runtime.service import CarrierContext, Context, Lookup, Part
from tocsin.settings import secret_files
from tocsin.settings.fresh import Fresh


def carrier(context: CarrierContext) -> Carrier:
    """Return what carries the channel's messages. Raises SettingsError."""
    unmapped = context.metrics.unmapped_codes
    settings = context.settings
    return BrowserCarrier(
        settings.section(BROWSER, BrowserSettings),
        settings.section(WEBPUSH, WebPushSettings) if pushes(settings) else None,
        context.templates,
        clock=context.clock,
        on_unmapped=lambda _code: unmapped("browser", NAME).inc(),
        inbox=_inbox(context) if has_inbox(settings) else None,
    )


def _inbox(context: CarrierContext) -> InboxProvider:
    if context.store is None:
        raise SettingsError("browser.inbox needs the store, and there is none here")
    ours = context.settings.section(INBOX, InboxSettings)
    inboxes = Inboxes(store=context.store, clock=context.clock, most=ours.messages)
    return InboxProvider(Post(inboxes), limits=ours, wakeups=context.wakeups)


def _registrations(context: Context) -> Registrations:
    most = context.settings.section(BROWSER, BrowserSettings).max_subscriptions
    return Registrations(store=context.store, clock=context.clock, most=most)


def part(context: Context) -> Part:
    """Return the routes of registrations and inboxes, and the loops of inboxes. Raises SettingsError."""
    registering = _registrations_router(context) if pushes(context.settings) else APIRouter()
    if not has_inbox(context.settings):
        return Part(router=registering)
    inbox = inbox_part.of(context)
    if inbox.router is not None:
        registering.include_router(inbox.router)
    return Part(router=registering, loops=inbox.loops)


def _registrations_router(context: Context) -> APIRouter:
    return registrations_api.router(
        _registrations(context),
        keys=Fresh(
            lambda before: keys.succeeding(before, keys.load(context.settings.section(WEBPUSH, WebPushSettings))),
            secret_files.named(context.settings, {WEBPUSH: WebPushSettings}),
        ).get,
        policy=endpoint_policy(context.settings.section(BROWSER, BrowserSettings)),
    )


def lookup(context: Context) -> Lookup:
    """Return what finds the registered subscriptions of a recipient."""
    registered = _registrations(context)

    async def find(tenant: str, recipient_id: str) -> Sequence[Mapping[str, Any]]:
        return await registered.of_recipient(tenant, recipient_id) if pushes(context.settings) else ()

    return find
