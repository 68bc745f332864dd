"""The sections `sms`, `twilio` and `vonage` of the settings: through whom texts go, and who we are there."""

from typing import Annotated, Literal

import msgspec

from tocsin.settings.sections import Count, Name, Seconds, Secret

SMS, TWILIO, VONAGE = "sms", "twilio", "vonage"


class SmsSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[sms]`: the channel. Without routes it is not there."""

    # Providers, the preferred first.
    routes: tuple[Literal["twilio", "vonage"], ...] = ()
    # The region (ISO 3166) of numbers that are given without + and country code. Without it they are refused.
    default_region: Name | None = None
    # Regions whose numbers may be written to. Empty: all.
    regions: tuple[Name, ...] = ()
    # The most segments that one message may take.
    max_segments: Annotated[int, msgspec.Meta(ge=1, le=10)] = 4
    # Where providers reach this API from outside. Empty: no receipts, and no STOP.
    public_url: str = ""

    def __post_init__(self) -> None:
        if len(set(self.routes)) < len(self.routes):
            raise ValueError("routes must not name a provider twice")
        self._check_regions()
        if self.public_url and not self.public_url.startswith(("https://", "http://")):
            raise ValueError("public_url must begin with https://")
        if "?" in self.public_url or "#" in self.public_url:
            raise ValueError("public_url must have no ? and no #")

    def _check_regions(self) -> None:
        named = [*self.regions, *([self.default_region] if self.default_region else [])]
        if not named:
            return
        from phonenumbers import SUPPORTED_REGIONS  # noqa: PLC0415 - megabytes of numbers, for those who use them

        if strange := [region for region in named if region not in SUPPORTED_REGIONS]:
            raise ValueError(f"regions and default_region hold codes of ISO 3166 like DE and US, not {strange[0]}")


class TwilioSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[twilio]`: one account. Checked further by `twilio.account`, which raises SettingsError."""

    account_sid: str = ""
    # Signs the callbacks, and authenticates calls where there is no API key.
    auth_token: Secret | None = None
    auth_token_file: Name | None = None
    # An API key for the calls, in place of the auth token.
    api_key_sid: Name | None = None
    api_key_secret: Secret | None = None
    api_key_secret_file: Name | None = None
    # Exactly one of the two says who the sender is.
    messaging_service_sid: Name | None = None
    sender: Name | None = None
    base_url: Name = "https://api.twilio.com"
    # Connections at most, and so messages under way at a time.
    connections: Count = 16
    connect_timeout_seconds: Seconds = 10.0


class VonageSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[vonage]`: one account of the SMS API. Checked further by `vonage.account`, which raises SettingsError."""

    api_key: str = ""
    api_secret: Secret | None = None
    api_secret_file: Name | None = None
    # Signs inbound texts (SHA-256 HMAC). Without it STOP is not heard.
    signature_secret: Secret | None = None
    signature_secret_file: Name | None = None
    sender: Name | None = None
    base_url: Name = "https://rest.nexmo.com"
    connections: Count = 16
    connect_timeout_seconds: Seconds = 10.0
