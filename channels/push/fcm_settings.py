"""The section `fcm` of the settings: one Firebase project, and the service account that sends for it."""

from channels.provider import RouteSettings
from tocsin.settings.sections import Count, Name, Seconds, Secret

SECTION = "fcm"


class FcmSettings(RouteSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How Firebase Cloud Messaging is reached. Checked further by `fcm.FcmProvider`, which raises SettingsError."""

    # The service account: the JSON file of the Firebase console, or what is in it. Without one, FCM is off.
    credentials_file: str | None = None
    credentials: Secret | None = None
    # The Firebase project. By default the one that the service account is of.
    project_id: Name | None = None
    # Where messages are sent …
    base_url: Name = "https://fcm.googleapis.com"
    # … and where tokens are had. By default where the service account's file says.
    token_url: Name | None = None
    # Connections at most, and so messages under way at a time.
    connections: Count = 32
    # Patience for the answer to one call, cut by the attempt's deadline. Google asks for at least 10.
    timeout_seconds: Seconds = 15.0

    @property
    def configured(self) -> bool:
        """Whether FCM is to be used."""
        return bool(self.credentials_file or self.credentials)
