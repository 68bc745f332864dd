"""SMS as the gateway sees it: the value behind the entry point. What it stands on is imported once it is used."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from fastapi import APIRouter

from channels.provider import Carrier
from channels.sms import schema
from channels.sms.message import PART
from channels.sms.settings import SMS, TWILIO, VONAGE, SmsSettings, TwilioSettings, VonageSettings
from tocsin.runtime.service import Addresses, CarrierContext, Channel, Context, Part
from tocsin.settings import sections
from tocsin.settings.values import Settings
from tocsin.validation import Fault

_POINTER = "/recipient/phone"


def _addresses(
    recipient: Mapping[str, Any], *, default_region: str | None = None, regions: frozenset[str] = frozenset()
) -> Sequence[str] | Fault:
    text = recipient.get("phone")
    if text is None:
        return Fault(pointer=_POINTER, detail="is required for the channel sms")
    from channels.sms import phone  # noqa: PLC0415

    found = phone.parse(text, default_region=default_region, regions=regions)
    return Fault(pointer=_POINTER, detail=found.detail) if isinstance(found, Fault) else (found,)


def _addresses_for(settings: Settings) -> Addresses:
    ours = settings.section(SMS, SmsSettings)
    return partial(_addresses, default_region=ours.default_region, regions=frozenset(ours.regions))


def _carrier(context: CarrierContext) -> Carrier:
    from channels.sms.carrier import SmsCarrier  # noqa: PLC0415

    unmapped = context.metrics.unmapped_codes
    return SmsCarrier(
        context.settings.section(SMS, SmsSettings),
        twilio=context.settings.section(TWILIO, TwilioSettings),
        vonage=context.settings.section(VONAGE, VonageSettings),
        public_url=context.settings.section("http", sections.Http).public_url,
        catalogue=context.templates,
        clock=context.clock,
        on_unmapped=lambda provider, _code: unmapped("sms", provider).inc(),
    )


def _part(context: Context) -> Part:
    from channels.sms import callbacks, estimate_api  # noqa: PLC0415

    found = APIRouter()
    found.include_router(callbacks.router(context))
    found.include_router(estimate_api.router(context.settings.section(SMS, SmsSettings), context.templates))
    return Part(router=found)


def _enabled(settings: Settings) -> bool:
    return bool(settings.section(SMS, SmsSettings).routes)


channel: Channel[Carrier] = Channel(
    name="sms",
    settings={SMS: SmsSettings, TWILIO: TwilioSettings, VONAGE: VonageSettings},
    fragments=schema.fragments,
    template_part=PART,
    addresses=_addresses,
    addresses_for=_addresses_for,
    carrier=_carrier,
    enabled=_enabled,
    part=_part,
)
