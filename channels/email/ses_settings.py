"""The section `ses` of the settings: one account of Amazon SES."""

from channels.provider import RouteSettings
from tocsin.settings.sections import Count, Name, Seconds, Secret

SES = "ses"


class SesSettings(RouteSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[ses]`: one account in one region. Checked further by `ses.SesProvider`, which raises SettingsError."""

    region: str = ""
    access_key_id: str = ""
    # A file that holds it: another access key has another id, so that both are replaced together.
    access_key_id_file: Name | None = None
    secret_access_key: Secret | None = None
    secret_access_key_file: Name | None = None
    # Comes with credentials that are for a time only.
    session_token: Secret | None = None
    session_token_file: Name | None = None
    configuration_set: Name | None = None
    # The ARN of the SNS topic that gets the configuration set's events, and calls `/v1/callbacks/ses`.
    sns_topic: Name | None = None
    # By default that of the topic's region.
    sns_url: Name | None = None
    # By default the region's own.
    base_url: Name | None = None
    # Connections at most, and so messages under way at a time.
    connections: Count = 16
    connect_timeout_seconds: Seconds = 10.0
