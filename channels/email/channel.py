"""Email as the gateway sees it: the value behind the entry point."""

from collections.abc import Mapping, Sequence
from typing import Any

from channels.email import schema
from channels.email.address import parse
from channels.email.bounces_settings import BOUNCES, BouncesSettings
from channels.email.carrier import EmailCarrier
from channels.email.render import SUBJECT
from channels.email.resend_settings import RESEND, ResendSettings
from channels.email.ses_settings import SES, SesSettings
from channels.email.settings import SECTION, EmailSettings
from channels.provider import Carrier
from tocsin.runtime.service import CarrierContext, Channel, Context, Part
from tocsin.settings import sections
from tocsin.validation import Fault


def _addresses(recipient: Mapping[str, Any]) -> Sequence[str] | Fault:
    text = recipient.get("email")
    if text is None:
        return Fault(pointer="/recipient/email", detail="is required for the channel email")
    found = parse(text)
    return Fault(pointer="/recipient/email", detail=found.detail) if isinstance(found, Fault) else (found,)


def _part(context: Context) -> Part:
    # What it stands on is imported once it is used: `tocsin send` needs no SMTP server.
    from channels.email.part import part  # noqa: PLC0415

    return part(context)


def _carrier(context: CarrierContext) -> Carrier:
    unmapped = context.metrics.unmapped_codes
    return EmailCarrier(
        context.settings.section(SECTION, EmailSettings),
        context.templates,
        ses_settings=context.settings.section(SES, SesSettings),
        resend_settings=context.settings.section(RESEND, ResendSettings),
        bounces_settings=context.settings.section(BOUNCES, BouncesSettings),
        public_url=context.settings.section("http", sections.Http).public_url,
        clock=context.clock,
        on_unmapped=lambda provider, _code: unmapped("email", provider).inc(),
    )


channel: Channel[Carrier] = Channel(
    name="email",
    settings={SECTION: EmailSettings, SES: SesSettings, RESEND: ResendSettings, BOUNCES: BouncesSettings},
    fragments=schema.fragments,
    template_part=SUBJECT,
    addresses=_addresses,
    carrier=_carrier,
    part=_part,
)
