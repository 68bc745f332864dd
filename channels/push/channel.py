"""Push as the gateway sees it: the value behind the entry point."""

from collections.abc import Callable
from functools import partial

from channels.provider import Carrier, Provider
from channels.push import apns_settings, device, fcm_settings, schema, settings
from channels.push.apns_settings import ApnsSettings
from channels.push.fcm_settings import FcmSettings
from channels.push.render import TITLE
from channels.push.settings import PushSettings
from tocsin.runtime.service import Addresses, CarrierContext, Channel
from tocsin.settings.values import Settings

_NAME = "push"


def _fcm(found: Settings) -> FcmSettings:
    return found.section(fcm_settings.SECTION, FcmSettings)


def _apns(found: Settings) -> ApnsSettings:
    return found.section(apns_settings.SECTION, ApnsSettings)


def _configured(found: Settings) -> frozenset[str]:
    """Return the names of the push services that the settings make use of."""
    services = {fcm_settings.SECTION: _fcm(found).configured, apns_settings.SECTION: _apns(found).configured}
    return frozenset(name for name, configured in services.items() if configured)


def _addresses_for(found: Settings) -> Addresses:
    return partial(device.addresses, services=_configured(found))


def _carrier(context: CarrierContext) -> Carrier:
    from channels.push.carrier import PushCarrier  # noqa: PLC0415

    names = _configured(context.settings)
    providers: list[Provider] = []
    if fcm_settings.SECTION in names:
        providers.append(_fcm_provider(context))
    if apns_settings.SECTION in names:
        providers.append(_apns_provider(context))
    return PushCarrier(context.settings.section(settings.SECTION, PushSettings), context.templates, providers)


def _fcm_provider(context: CarrierContext) -> Provider:
    from channels.push import fcm  # noqa: PLC0415

    counted = _counter(context, fcm.NAME)
    return fcm.FcmProvider(_fcm(context.settings), clock=context.clock, on_unmapped=counted)


def _apns_provider(context: CarrierContext) -> Provider:
    from channels.push import apns  # noqa: PLC0415

    return apns.ApnsProvider(
        _apns(context.settings),
        clock=context.clock,
        monotonic=context.clock.monotonic,
        on_unmapped=_counter(context, apns.NAME),
    )


def _counter(context: CarrierContext, provider: str) -> Callable[[str], None]:
    counter = context.metrics.unmapped_codes(_NAME, provider)
    return lambda _code: counter.inc()


channel: Channel[Carrier] = Channel(
    name=_NAME,
    settings={
        settings.SECTION: PushSettings,
        fcm_settings.SECTION: FcmSettings,
        apns_settings.SECTION: ApnsSettings,
    },
    fragments=schema.fragments,
    template_part=TITLE,
    addresses=device.addresses,
    addresses_for=_addresses_for,
    carrier=_carrier,
    enabled=lambda found: bool(_configured(found)),
)
