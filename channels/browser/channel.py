"""Browser push as the gateway sees it: the value behind the entry point."""

from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import APIRouter

from channels.browser import keys, registrations, registrations_api, schema, subscription
from channels.browser.carrier import BrowserCarrier
from channels.browser.endpoint import EndpointPolicy
from channels.browser.registrations import Registrations
from channels.browser.render import TITLE
from channels.browser.settings import BROWSER, WEBPUSH, BrowserSettings, WebPushSettings, enabled, endpoint_policy
from channels.browser.webpush import NAME
from channels.provider import Carrier
from tocsin.runtime.service import Addresses, CarrierContext, Channel, Context, Lookup
from tocsin.settings.values import Settings
from tocsin.validation import Fault

_POINTER = "/recipient/browser"


def addresses(recipient: Mapping[str, Any], policy: EndpointPolicy) -> Sequence[str] | Fault:
    """Return the addresses of a recipient's subscriptions, or the first thing that is wrong with them."""
    found: dict[str, str] = {}
    for number, document in enumerate(recipient.get("browser", ())):
        each = subscription.read(document, pointer=f"{_POINTER}/{number}", policy=policy)
        if isinstance(each, Fault):
            return each
        if found.setdefault(each.endpoint, each.address) != each.address:
            detail = "is the endpoint of another subscription, with other keys"
            return Fault(pointer=f"{_POINTER}/{number}/endpoint", detail=detail)
    if not found:
        detail = "is required for the channel browser, since no subscription is registered for /recipient/id"
        return Fault(pointer=_POINTER, detail=detail)
    return tuple(found.values())


def _addresses_for(settings: Settings) -> Addresses:
    policy = endpoint_policy(settings.section(BROWSER, BrowserSettings))
    return lambda recipient: addresses(recipient, policy)


def _carrier(context: CarrierContext) -> Carrier:
    unmapped = context.metrics.unmapped_codes
    return BrowserCarrier(
        context.settings.section(BROWSER, BrowserSettings),
        context.settings.section(WEBPUSH, WebPushSettings),
        context.templates,
        clock=context.clock,
        on_unmapped=lambda _code: unmapped("browser", NAME).inc(),
    )


def _registrations(context: Context) -> Registrations:
    most = context.settings.section(BROWSER, BrowserSettings).max_subscriptions
    return Registrations(store=context.store, clock=context.clock, most=most)


def _router(context: Context) -> APIRouter:
    return registrations_api.router(
        _registrations(context),
        keys=keys.load(context.settings.section(WEBPUSH, WebPushSettings)),
        policy=endpoint_policy(context.settings.section(BROWSER, BrowserSettings)),
    )


def _lookup(context: Context) -> Lookup:
    return _registrations(context).of_recipient


channel: Channel[Carrier] = Channel(
    name="browser",
    settings={BROWSER: BrowserSettings, WEBPUSH: WebPushSettings},
    fragments=schema.fragments,
    template_part=TITLE,
    addresses=lambda recipient: addresses(recipient, endpoint_policy(BrowserSettings())),
    addresses_for=_addresses_for,
    carrier=_carrier,
    enabled=enabled,
    router=_router,
    lookup=_lookup,
    tables=registrations.metadata,
)
