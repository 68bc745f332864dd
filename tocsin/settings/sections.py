"""The core's own sections, with their defaults and bounds. Units are in the names.

`configs/tocsin.toml` has the same keys with the same values and says what each is for; a test compares the two.
"""

import re
from typing import Annotated, Literal

import msgspec

KIB = 1024
MIB = 1024 * KIB
GIB = 1024 * MIB

Whole = Annotated[int, msgspec.Meta(ge=0)]
Count = Annotated[int, msgspec.Meta(ge=1)]
Seconds = Annotated[float, msgspec.Meta(gt=0)]
Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
Port = Annotated[int, msgspec.Meta(ge=0, le=65535)]
Name = Annotated[str, msgspec.Meta(min_length=1)]
Secret = Annotated[str, msgspec.Meta(extra={"secret": True})]

# Without what would end, or mean something else, in a header field or before a path.
_PLAIN_URL = re.compile(r'[^\x00-\x20?#<>"\x7f-\U0010ffff]{0,200}')

# What Kafka takes as the name of a topic.
_TOPIC = re.compile(r"[a-zA-Z0-9._-]{1,249}")


class Top(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings of no section."""

    data_dir: Name = "./data"


class Http(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[http]`: the one port that everything is served on. Port 0 takes a free one."""

    host: Name = "127.0.0.1"
    port: Port = 8080
    public_url: str = ""
    metrics_open: bool = True
    docs_open: bool = True
    max_notification_bytes: Count = MIB
    max_batch_bytes: Count = 8 * MIB
    max_batch_items: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 1000

    def __post_init__(self) -> None:
        if self.public_url and not self.public_url.startswith(("https://", "http://")):
            raise ValueError("public_url must begin with https://")
        if not _PLAIN_URL.fullmatch(self.public_url):
            raise ValueError("public_url must be a URL without ? and #, at most 200 characters of ASCII")


class Logs(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[logs]`: what the program says of itself."""

    level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    format: Literal["auto", "pretty", "json"] = "auto"


class EventLog(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[eventlog]`: the embedded event log."""

    partitions: Annotated[int, msgspec.Meta(ge=1, le=256)] = 8
    retention_hours: Count = 168
    audit_retention_hours: Count = 168
    max_bytes: Annotated[int, msgspec.Meta(ge=16 * MIB)] = 20 * GIB
    queue_limit: Count = 20_000
    publish_timeout_seconds: Seconds = 5.0


class Kafka(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[kafka]`: the event log on a Kafka cluster. Without bootstrap servers the embedded log is used."""

    bootstrap_servers: tuple[Name, ...] = ()
    client_id: Name = "tocsin"
    rack: Name | None = None
    topics_file: str = ""
    replication: Annotated[int, msgspec.Meta(ge=1, le=32767)] = 3
    tls: bool = False
    ca_file: Name | None = None
    certificate_file: Name | None = None
    key_file: Name | None = None
    sasl: Literal["none", "plain", "scram-sha-256", "scram-sha-512"] = "none"
    username: Name | None = None
    password: Secret | None = None
    password_file: Name | None = None
    batch_bytes: Annotated[int, msgspec.Meta(ge=KIB, le=MIB)] = 256 * KIB
    linger_ms: Annotated[int, msgspec.Meta(ge=0, le=100)] = 3
    max_record_bytes: Annotated[int, msgspec.Meta(ge=64 * KIB)] = MIB + 64 * KIB
    write_timeout_seconds: Seconds = 30.0
    commit_timeout_seconds: Seconds = 10.0
    lookup_timeout_seconds: Seconds = 10.0
    session_seconds: Annotated[float, msgspec.Meta(ge=6, le=300)] = 45.0
    rebalance_seconds: Annotated[float, msgspec.Meta(ge=1, le=600)] = 60.0
    heartbeat_seconds: Annotated[float, msgspec.Meta(gt=0, le=30)] = 3.0
    stall_seconds: Seconds = 60.0

    def __post_init__(self) -> None:
        if self.heartbeat_seconds * 3 > self.session_seconds:
            raise ValueError("heartbeat_seconds must be a third of session_seconds at most, or one lost beat ends it")
        if (self.sasl == "none") != (self.username is None):
            raise ValueError("username and sasl go together: set both, or neither")
        if self.sasl == "plain" and not self.tls:
            raise ValueError("sasl plain sends the password as it is: set tls as well, or use scram-sha-512")
        if self.key_file is not None and self.certificate_file is None:
            raise ValueError("key_file belongs to a certificate_file")


class Store(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[store]`: the SQL store. The URL may hold a password, hence a secret. All but it and the age is PostgreSQL's."""

    url: Secret = ""
    password_file: Name | None = None
    retention_days: Count = 90
    write_connections: Count = 8
    read_connections: Count = 8
    connect_timeout_seconds: Seconds = 5.0
    command_timeout_seconds: Seconds = 15.0
    prepared_statements: bool = True


class Worker(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[worker]`: how much a channel's worker holds at once, and for how long."""

    in_flight: Count = 256
    unfinished_per_partition: Count = 1000
    unfinished_bytes_per_partition: Count = 16 * MIB
    buffer_bytes: Count = 24 * MIB
    attempt_seconds: Annotated[float, msgspec.Meta(ge=1, le=60)] = 60.0
    drain_seconds: Annotated[float, msgspec.Meta(gt=0, le=25)] = 25.0
    commit_interval_seconds: Seconds = 1.0
    commit_every: Count = 500
    lease_seconds: Seconds = 90.0

    def __post_init__(self) -> None:
        if self.lease_seconds <= self.attempt_seconds:
            raise ValueError("lease_seconds must be above attempt_seconds, or a running attempt would lose its claim")


class Retry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[retry]`: how often, and how long, a delivery is tried again."""

    max_attempts: Annotated[int, msgspec.Meta(ge=1, le=100)] = 8
    jitter: Annotated[float, msgspec.Meta(ge=0, le=0.05)] = 0.05
    max_retry_after_hours: Count = 24
    max_unconfirmed: Count = 2


class Delivery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[delivery]`: how long a delivery is worth trying, and which are never sent twice."""

    default_expires_in_seconds: Count = 259_200
    max_expires_in_seconds: Count = 2_592_000
    at_most_once_categories: tuple[Name, ...] = ()

    def __post_init__(self) -> None:
        if self.default_expires_in_seconds > self.max_expires_in_seconds:
            raise ValueError("default_expires_in_seconds must not be above max_expires_in_seconds")


class Templates(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[templates]`: where they lie, and what rendering one may cost."""

    root: str = ""
    default_locale: Name = "en"
    max_render_ms: Count = 250
    max_output_bytes: Count = 512 * KIB


class Rules(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[rules]`: what makes notifications of business events, and the topics that those are on."""

    root: str = ""
    topics: tuple[Name, ...] = ()

    def __post_init__(self) -> None:
        for topic in self.topics:
            if not _TOPIC.fullmatch(topic) or topic.strip(".") == "":
                raise ValueError("topics must each be 1 to 249 of a-z, A-Z, 0-9, dot, hyphen and underscore")
            if topic.startswith("notifications."):
                raise ValueError("topics must not be Tocsin's own: write requests to notifications.requests instead")
        if len(set(self.topics)) < len(self.topics):
            raise ValueError("topics must not name one twice")


class Audit(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[audit]`: the reconciler that looks for deliveries which did not end."""

    overdue_grace_seconds: Whole = 300
    reconcile_interval_seconds: Count = 60


class Idempotency(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[idempotency]`: how long an `Idempotency-Key` is remembered."""

    keep_hours: Count = 24


def core() -> dict[str, type[msgspec.Struct]]:
    """Return the core's sections by name, as `load` takes them. Services and channels add theirs."""
    return {
        "": Top,
        "http": Http,
        "logs": Logs,
        "eventlog": EventLog,
        "kafka": Kafka,
        "store": Store,
        "worker": Worker,
        "retry": Retry,
        "delivery": Delivery,
        "templates": Templates,
        "rules": Rules,
        "audit": Audit,
        "idempotency": Idempotency,
    }
