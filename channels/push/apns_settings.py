"""The section `apns` of the settings: one app at the Apple Push Notification service, and the key that proves us."""

from typing import Literal

from channels.provider import RouteSettings
from tocsin.settings.sections import Count, Name, Seconds, Secret

SECTION = "apns"

_HOSTS = {"production": "https://api.push.apple.com", "sandbox": "https://api.sandbox.push.apple.com"}


class ApnsSettings(RouteSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How APNs is reached. Checked further by `apns.ApnsProvider`, which raises SettingsError."""

    # The signing key (.p8) of the Apple developer account: a file, or what is in it. Without one, APNs is off.
    key_file: str | None = None
    key: Secret | None = None
    # The key's own id, and the team's that it belongs to: ten characters each.
    key_id: Name | None = None
    # A file that holds it: another key has another id, so that both are replaced together.
    key_id_file: Name | None = None
    team_id: Name | None = None
    # The app: its bundle id.
    topic: Name | None = None
    # Device tokens belong to one of the two.
    environment: Literal["production", "sandbox"] = "production"
    # Another server than the environment's own.
    base_url: Name | None = None
    # Certificates to trust instead of the system's: a PEM file, or what is in it.
    ca_file: Name | None = None
    ca: Name | None = None
    # Connections at most; the second is made when the first is full.
    connections: Count = 2
    # Pushes under way at a time over each, where the server allows as many.
    in_flight: Count = 100
    # Patience for connecting, TLS and the server's settings together.
    connect_timeout_seconds: Seconds = 10.0
    # Patience for the answer to one push, cut by the attempt's deadline.
    timeout_seconds: Seconds = 20.0
    # A server that was silent for so long is asked whether it is there …
    ping_after_seconds: Seconds = 30.0
    # … and given up if it says nothing for so long.
    ping_timeout_seconds: Seconds = 5.0
    # After a failed connection none is tried for this long; doubled with each failure in a row, up to the maximum.
    backoff_seconds: Seconds = 0.5
    backoff_max_seconds: Seconds = 15.0

    @property
    def configured(self) -> bool:
        """Whether APNs is to be used."""
        return bool(self.key_file or self.key)

    @property
    def url(self) -> str:
        """Where pushes are sent, without a slash at its end."""
        return (self.base_url or _HOSTS[self.environment]).rstrip("/")
