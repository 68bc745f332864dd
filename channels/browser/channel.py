"""Browser push as the gateway sees it: the value behind the entry point."""

from collections.abc import Mapping, Sequence
from typing import Any

from channels.browser import inbox_message, schema, subscription, tables
from channels.browser.endpoint import EndpointPolicy
from channels.browser.render import TITLE
from channels.browser.settings import (
    BROWSER,
    INBOX,
    WEBPUSH,
    BrowserSettings,
    InboxSettings,
    WebPushSettings,
    enabled,
    endpoint_policy,
    has_inbox,
    pushes,
)
from channels.provider import Carrier
from tocsin.runtime.service import Addresses, CarrierContext, Channel, Context, Lookup, Part
from tocsin.settings.values import Settings
from tocsin.validation import Fault

_POINTER = "/recipient/browser"


def addresses(
    recipient: Mapping[str, Any], policy: EndpointPolicy, *, pushes: bool = True, inbox: bool = False
) -> Sequence[str] | Fault:
    """Return the addresses of a recipient's inbox and subscriptions, or the first thing that is wrong with them.

    `inbox`: who has an id has one. Without `pushes` no push service can be used.
    """
    if "browser" in recipient and not pushes:
        return Fault(pointer=_POINTER, detail="cannot be used: no VAPID key is set, so there are inboxes only")
    found: dict[str, str] = {}
    for number, document in enumerate(recipient.get("browser", ())):
        each = subscription.read(document, pointer=f"{_POINTER}/{number}", policy=policy)
        if isinstance(each, Fault):
            return each
        if found.setdefault(each.endpoint, each.address) != each.address:
            detail = "is the endpoint of another subscription, with other keys"
            return Fault(pointer=f"{_POINTER}/{number}/endpoint", detail=detail)
    box = (inbox_message.address(recipient["id"]),) if inbox and "id" in recipient else ()
    if not found and not box:
        detail = "is required for the channel browser, since no subscription is registered for /recipient/id"
        return Fault(pointer=_POINTER, detail=detail)
    return (*box, *found.values())


def _addresses_for(settings: Settings) -> Addresses:
    policy = endpoint_policy(settings.section(BROWSER, BrowserSettings))
    pushing, inbox = pushes(settings), has_inbox(settings)
    return lambda recipient: addresses(recipient, policy, pushes=pushing, inbox=inbox)


def _carrier(context: CarrierContext) -> Carrier:
    from channels.browser import wiring  # noqa: PLC0415 - several megabytes that other channels have no use for

    return wiring.carrier(context)


def _part(context: Context) -> Part:
    from channels.browser import wiring  # noqa: PLC0415 - as above

    return wiring.part(context)


def _lookup(context: Context) -> Lookup:
    from channels.browser import wiring  # noqa: PLC0415 - as above

    return wiring.lookup(context)


channel: Channel[Carrier] = Channel(
    name="browser",
    settings={BROWSER: BrowserSettings, WEBPUSH: WebPushSettings, INBOX: InboxSettings},
    fragments=schema.fragments,
    template_part=TITLE,
    addresses=lambda recipient: addresses(recipient, endpoint_policy(BrowserSettings())),
    addresses_for=_addresses_for,
    carrier=_carrier,
    enabled=enabled,
    part=_part,
    lookup=_lookup,
    tables=tables.metadata,
)
