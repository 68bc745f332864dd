"""The section `resend` of the settings: one account of Resend."""

from channels.provider import RouteSettings
from tocsin.settings.sections import Count, Name, Seconds, Secret

RESEND = "resend"


class ResendSettings(RouteSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[resend]`: one account. Checked further by `resend.ResendProvider`, which raises SettingsError."""

    api_key: Secret | None = None
    api_key_file: Name | None = None
    # The signing secret of the webhook that calls `/v1/callbacks/resend`.
    webhook_secret: Secret | None = None
    webhook_secret_file: Name | None = None
    base_url: Name = "https://api.resend.com"
    # Connections at most, and so messages under way at a time.
    connections: Count = 16
    connect_timeout_seconds: Seconds = 10.0
