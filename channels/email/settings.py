"""The section `email` of the settings: through whom mail goes, one SMTP server, and who we say we are."""

from typing import Literal

from channels.provider import RouteSettings
from tocsin.settings.sections import Name, Secret

SECTION = "email"
ROUTES = ("smtp", "ses", "resend")


class EmailSettings(RouteSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How mail leaves. Checked further by `smtp.SmtpProvider`, which raises SettingsError."""

    # Providers, the preferred first. Their own settings are in the sections `ses` and `resend`; SMTP's are here.
    routes: tuple[str, ...] = ("smtp",)

    # --- the server ---
    # Host name (the name that its certificate must carry) or address.
    host: str = "127.0.0.1"
    # 587 for submission with STARTTLS, 465 for implicit TLS.
    port: int = 587
    # "starttls": TLS is demanded before anything else. "implicit": TLS from the first byte. "none": plain text, for
    # a server on the same machine only; refused together with a username.
    tls: Literal["starttls", "implicit", "none"] = "starttls"
    # Certificates to trust instead of the system's (PEM file).
    ca_file: str | None = None
    # The name we greet with (EHLO). By default this machine's full name.
    helo_name: str | None = None

    # --- authentication, over TLS only ---
    username: str | None = None
    password: Secret | None = None
    # A file that holds the password (one trailing line end is dropped); instead of `password`.
    password_file: str | None = None
    # The one mechanism that is tried; trying several in turn locks accounts.
    auth: Literal["plain", "login", "cram-md5"] = "plain"

    # --- the message ---
    # From: "Name <address>" or an address.
    sender: str = "Tocsin <no-reply@localhost.invalid>"
    # The envelope sender, where bounces go. By default the address of `sender`.
    return_path: str | None = None
    # The domain of Message-ID: one that you own. By default the domain of `sender`.
    message_id_domain: str | None = None
    # The private key that signs our mails (DKIM): RSA of 2048 bits or more, or Ed25519, as a PEM file.
    dkim_key_file: Name | None = None
    # Its name in the DNS: `<selector>._domainkey.<domain>` has the public key.
    dkim_selector: Name | None = None
    # Who signs. By default the domain of `sender`.
    dkim_domain: Name | None = None

    # --- links to unsubscribe (RFC 8058) ---
    # The categories whose mails have one. It needs `http.public_url`.
    unsubscribe_categories: tuple[Name, ...] = ()
    # Seals the links: 32 characters or more.
    unsubscribe_secret: Secret | None = None
    unsubscribe_secret_file: Name | None = None
    # Files with the secrets of before, for the links in mails that were sent then.
    unsubscribe_retired_secret_files: tuple[Name, ...] = ()

    # --- connections ---
    # At most so many at a time; also how many messages are under way.
    connections: int = 32
    # A connection is retired after so many messages (servers cap them) …
    messages_per_connection: int = 100
    # … after so many seconds of life …
    connection_age_seconds: float = 300.0
    # … or after so many seconds without work.
    idle_seconds: float = 30.0
    # A connection that was idle longer than this is tried with RSET before it is used.
    probe_after_seconds: float = 5.0
    # After a failed connect, none is tried for this long; doubled with each failure in a row, up to the maximum.
    backoff_seconds: float = 0.5
    backoff_max_seconds: float = 15.0

    # --- patience; each is cut by the deadline of the attempt ---
    # For connecting, TLS and authentication, together.
    connect_timeout_seconds: float = 20.0
    # For the answer to each of MAIL, RCPT, DATA and RSET. The final dot gets all that is left of the attempt.
    command_timeout_seconds: float = 30.0

    def __post_init__(self) -> None:
        if strange := [name for name in self.routes if name not in ROUTES]:
            raise ValueError(f"routes: there is no provider {strange[0]!r}; providers: {', '.join(ROUTES)}")
        if not self.routes or len(set(self.routes)) < len(self.routes):
            raise ValueError("routes must name one provider at least, and none twice")
