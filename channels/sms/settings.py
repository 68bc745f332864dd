"""The sections `sms`, `twilio` and `vonage` of the settings: through whom texts go, and who we are there."""

from typing import Annotated, Literal

import msgspec

from channels.provider import RouteSettings
from tocsin.settings.sections import Count, Name, Seconds, Secret

SMS, TWILIO, VONAGE = "sms", "twilio", "vonage"
# In place of a region: all those that have no price of their own.
ELSEWHERE = "*"

Price = Annotated[float, msgspec.Meta(ge=0, le=1_000_000)]


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
    # What one segment costs, by the region of the number; `*` for all others. For estimates: nobody else reads it.
    prices: dict[str, Price] = {}
    # What the prices are in (ISO 4217).
    currency: Annotated[str, msgspec.Meta(pattern="^[A-Z]{3}$")] = "EUR"
    # The most that one message may cost. 0: no matter what.
    max_price: Price = 0.0

    def __post_init__(self) -> None:
        if len(set(self.routes)) < len(self.routes):
            raise ValueError("routes must not name a provider twice")
        if self.max_price and not self.prices:
            raise ValueError("max_price needs prices to go by: set prices too")
        self._check_regions()

    def _check_regions(self) -> None:
        priced = [region for region in self.prices if region != ELSEWHERE]
        named = [*self.regions, *([self.default_region] if self.default_region else []), *priced]
        if not named:
            return
        from phonenumbers import SUPPORTED_REGIONS  # noqa: PLC0415 - megabytes of numbers, for those who use them

        if strange := [region for region in named if region not in SUPPORTED_REGIONS]:
            raise ValueError(
                f"regions, default_region and prices name regions as DE and US (ISO 3166), not {strange[0]}"
            )


class TwilioSettings(RouteSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[twilio]`: one account. Checked further by `twilio.account`, which raises SettingsError."""

    account_sid: str = ""
    # Signs the callbacks, and authenticates calls where there is no API key.
    auth_token: Secret | None = None
    auth_token_file: Name | None = None
    # An API key for the calls, in place of the auth token.
    api_key_sid: Name | None = None
    api_key_sid_file: Name | None = None
    api_key_secret: Secret | None = None
    api_key_secret_file: Name | None = None
    # Exactly one of the two says who the sender is.
    messaging_service_sid: Name | None = None
    sender: Name | None = None
    base_url: Name = "https://api.twilio.com"
    # Connections at most, and so messages under way at a time.
    connections: Count = 16
    connect_timeout_seconds: Seconds = 10.0


class VonageSettings(RouteSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
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
