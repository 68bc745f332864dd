"""The settings of SMS: what contradicts itself is said at the start."""

from pathlib import Path
from typing import Any

import pytest

from channels.sms import twilio, vonage
from channels.sms.carrier import SmsCarrier
from channels.sms.settings import SmsSettings, TwilioSettings, VonageSettings
from tests.support.clock import ManualClock
from tocsin.errors import SettingsError
from tocsin.runtime.discover import setting_sections
from tocsin.settings.load import load
from tocsin.templates.catalogue import Catalogue

GOOD_TWILIO: dict[str, Any] = {"account_sid": "AC1", "auth_token": "t", "sender": "+15005550006"}
GOOD_VONAGE: dict[str, Any] = {"api_key": "k", "api_secret": "s", "sender": "Shop"}


@pytest.mark.parametrize(
    ("sms", "why"),
    [
        ({"routes": ("twilio", "twilio")}, "twice"),
        ({"routes": ("pigeon",)}, "sms.routes"),
        ({"regions": ("Germany",)}, "ISO 3166"),
        ({"default_region": "XX"}, "ISO 3166"),
        ({"max_segments": 11}, "max_segments"),
        ({"prices": {"Germany": 0.1}}, "ISO 3166"),
        ({"prices": {"DE": -0.1}}, "sms.prices.DE|sms.prices"),
        ({"currency": "Euro"}, "sms.currency"),
        ({"max_price": 0.1}, "prices"),
    ],
)
def test_wrong_settings_of_the_channel_are_told(sms: dict[str, Any], why: str) -> None:
    with pytest.raises(SettingsError, match=why):
        load(setting_sections(), path=None, environ={}, overrides={"sms": sms})


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"account_sid": ""}, "account_sid"),
        ({"account_sid": "SK1"}, "account_sid"),
        ({"auth_token": None}, "auth_token"),
        ({"sender": None}, "messaging_service_sid"),
        ({"messaging_service_sid": "MG1"}, "set one of"),
        ({"api_key_sid": "SK1"}, "go together"),
        ({"api_key_secret": "x"}, "go together"),
        ({"api_key_sid": "SK1", "api_key_sid_file": "/nowhere"}, "both"),
    ],
)
def test_wrong_settings_of_twilio_are_told(changes: dict[str, Any], why: str) -> None:
    with pytest.raises(SettingsError, match=why):
        twilio.account(TwilioSettings(**{**GOOD_TWILIO, **changes}))


def test_an_api_key_of_twilio_lies_in_two_files(tmp_path: Path) -> None:
    files = {"api_key_sid_file": tmp_path / "sid", "api_key_secret_file": tmp_path / "secret"}
    for path, content in zip(files.values(), ("SK1", "key"), strict=True):
        path.write_text(f"{content}\n")
    found = twilio.account(TwilioSettings(**GOOD_TWILIO | {name: str(path) for name, path in files.items()}))

    assert (found.username, found.password) == ("SK1", "key")


@pytest.mark.parametrize("missing", ["api_key", "api_secret", "sender"])
def test_wrong_settings_of_vonage_are_told(missing: str) -> None:
    empty = "" if missing == "api_key" else None
    with pytest.raises(SettingsError, match=missing):
        vonage.account(VonageSettings(**{**GOOD_VONAGE, missing: empty}))


def test_secrets_are_not_shown() -> None:
    assert "t'" not in repr(twilio.account(TwilioSettings(**GOOD_TWILIO)))
    assert "s'" not in repr(vonage.account(VonageSettings(**GOOD_VONAGE)))


def carrier(sms: SmsSettings, public_url: str = "", **urls: str) -> SmsCarrier:
    bases = {name: {"base_url": url} for name, url in urls.items()}
    return SmsCarrier(
        sms,
        twilio=TwilioSettings(**{**GOOD_TWILIO, **bases.get("twilio", {})}),
        vonage=VonageSettings(**{**GOOD_VONAGE, **bases.get("vonage", {})}),
        public_url=public_url,
        catalogue=Catalogue(default_locale="en"),
        clock=ManualClock(),
        on_unmapped=lambda *_: None,
    )


async def test_the_routes_are_the_providers_in_their_order() -> None:
    both = carrier(SmsSettings(routes=("vonage", "twilio")))
    one = carrier(SmsSettings(routes=("twilio",)))

    assert [provider.name for provider in both.providers] == ["vonage", "twilio"]
    assert [provider.name for provider in one.providers] == ["twilio"]
    await both.aclose()
    await one.aclose()


@pytest.mark.parametrize("url", ["ftp://example.com", "https://user@example.com", "https://example.com/#x"])
def test_a_base_url_that_is_none_is_told_at_the_start(url: str) -> None:
    with pytest.raises(SettingsError, match=r"vonage\.base_url"):
        carrier(SmsSettings(routes=("vonage",)), vonage=url)


def test_vonage_takes_no_long_callback() -> None:
    with pytest.raises(SettingsError, match="public_url is too long"):
        carrier(SmsSettings(routes=("vonage",)), "https://example.com/" + "a" * 80)
