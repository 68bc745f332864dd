"""The sections `browser` (who is reached how), `webpush` (who we are to push services) and `inbox` (in the page)."""

from typing import Annotated

import msgspec

from channels.browser.endpoint import ANY, EndpointPolicy
from channels.provider import RouteSettings
from tocsin.errors import SettingsError
from tocsin.settings.sections import Count, Name, Seconds, Secret
from tocsin.settings.values import Settings

BROWSER = "browser"
WEBPUSH = "webpush"
INBOX = "inbox"


class BrowserSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[browser]`: where subscriptions may point to, how many a recipient has, and whether each has an inbox."""

    push_hosts: tuple[Name, ...] = (
        "fcm.googleapis.com",
        "updates.push.services.mozilla.com",
        "*.push.apple.com",
        "*.notify.windows.com",
    )
    private_endpoints: tuple[Name, ...] = ()
    max_subscriptions: Annotated[int, msgspec.Meta(ge=1, le=10)] = 10
    inbox: bool = False


class WebPushSettings(RouteSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[webpush]`: the VAPID keys with which we sign (RFC 8292), and the connections to push services."""

    vapid_key_file: str | None = None
    vapid_key: Secret | None = None
    retired_key_files: tuple[Name, ...] = ()
    subject: str | None = None
    ca_file: str | None = None
    connections: Count = 32
    connect_timeout_seconds: Seconds = 10.0


class InboxSettings(RouteSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[inbox]`: what inboxes hold for how long, and which pages may listen to them."""

    messages: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 100
    keep_days: Annotated[int, msgspec.Meta(ge=1, le=3650)] = 30
    ticket_seconds: Annotated[int, msgspec.Meta(ge=60, le=3600)] = 600
    origins: tuple[Name, ...] = ()
    connections_per_recipient: Count = 10
    connections: Count = 2000


def enabled(settings: Settings) -> bool:
    """Return whether browsers can be reached at all: by push services, or by the inbox in the page."""
    return pushes(settings) or has_inbox(settings)


def pushes(settings: Settings) -> bool:
    """Return whether there is a VAPID key: without one no push service can be used."""
    found = settings.section(WEBPUSH, WebPushSettings)
    return bool(found.vapid_key or found.vapid_key_file)


def has_inbox(settings: Settings) -> bool:
    """Return whether every recipient with an id has an inbox."""
    return settings.section(BROWSER, BrowserSettings).inbox


def endpoint_policy(settings: BrowserSettings) -> EndpointPolicy:
    """Return which endpoints are called. Raises SettingsError for names that no endpoint could ever fit."""
    for host in settings.push_hosts:
        if host != ANY and (host != host.lower() or "/" in host or ":" in host or "*" in host.removeprefix("*.")):
            raise SettingsError(f'browser.push_hosts: "{host}" must be like push.example.com, *.example.com or *')
    for each in settings.private_endpoints:
        host, _, port = each.rpartition(":")
        if not host or host != host.lower() or not port.isdecimal():
            raise SettingsError(f'browser.private_endpoints: "{each}" must be like push.internal:8443')
    return EndpointPolicy(hosts=settings.push_hosts, exceptions=frozenset(settings.private_endpoints))
