"""The settings of every client that is opened, in one place: security, identity and the rules of the house."""

import ssl
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Protocol

from tocsin.errors import SettingsError
from tocsin.eventlog.kafka import closed, quiet, trouble
from tocsin.eventlog.kafka.driver import (
    Admin,
    AIOKafkaAdminClient,
    AIOKafkaConsumer,
    AIOKafkaProducer,
    Consumer,
    Producer,
    collect_hosts,
)
from tocsin.settings.secrets import secret
from tocsin.settings.sections import Kafka

# aiokafka gives up any request after its timeout, a join too, which the coordinator holds back for as long as the
# slowest member drains. A join that is given up joins anew, and the rebalance never ends.
_BEYOND_REBALANCE = 10.0
_PRODUCE_SECONDS = 30.0
_TROUBLE_SECONDS = 5.0
_MOST_PORT = 65535
# A hundred records and more: to bring so many at once costs little more than to bring one.
_MANY_BYTES = 65_536
_MILLISECOND = timedelta(milliseconds=1)


class Clients(Protocol):
    """Makes clients, not yet started."""

    def consumer(self, group: str, *, gather: timedelta) -> Consumer:
        """Return a member of a group. The brokers wait for so long before they answer it with only a few records."""

    def observer(self) -> Consumer:
        """Return a consumer of no group, which looks offsets up."""

    def producer(self) -> Producer:
        """Return an idempotent producer."""

    def admin(self) -> Admin:
        """Return a client that describes and changes the cluster."""

    async def trouble(self) -> str:
        """Return in words why none of the brokers lets us in; empty if nothing is found."""


class KafkaClients:
    """Fulfils `Clients` from the settings. Raises SettingsError where a file that they name cannot be used."""

    def __init__(self, settings: Kafka) -> None:
        self._settings = settings
        self._common = common(settings)
        quiet.hush()
        closed.mend()

    def consumer(self, group: str, *, gather: timedelta) -> Consumer:
        """See `Clients`."""
        told = {**self._common, **consuming(self._settings), **gathering(gather)}
        return AIOKafkaConsumer(**told, group_id=group)  # type: ignore[no-any-return]

    def observer(self) -> Consumer:
        """See `Clients`."""
        timeout = _ms(self._settings.lookup_timeout_seconds)
        return AIOKafkaConsumer(**self._common, enable_auto_commit=False, request_timeout_ms=timeout)  # type: ignore[no-any-return]

    def producer(self) -> Producer:
        """See `Clients`."""
        return AIOKafkaProducer(**self._common, **producing(self._settings))  # type: ignore[no-any-return]

    def admin(self) -> Admin:
        """See `Clients`."""
        timeout = _ms(self._settings.lookup_timeout_seconds)
        return AIOKafkaAdminClient(**self._common, request_timeout_ms=timeout)  # type: ignore[no-any-return]

    async def trouble(self) -> str:
        """See `Clients`."""
        return await trouble.why(self._common, seconds=min(_TROUBLE_SECONDS, self._settings.lookup_timeout_seconds))


def common(settings: Kafka) -> Mapping[str, Any]:
    """Return what all clients are told: where the cluster is, who we are, and how we prove it."""
    if not settings.bootstrap_servers:
        raise SettingsError("kafka.bootstrap_servers: is empty; name the brokers of the cluster, as host:port")
    for server in settings.bootstrap_servers:
        _check_address(server)
    protocol = ("SASL_" if settings.sasl != "none" else "") + ("SSL" if settings.tls else "PLAINTEXT")
    found: dict[str, Any] = {
        "bootstrap_servers": list(settings.bootstrap_servers),
        "client_id": settings.client_id,
        "security_protocol": protocol,
    }
    if settings.tls:
        found["ssl_context"] = _context(settings)
    if settings.sasl != "none":
        found["sasl_mechanism"] = settings.sasl.upper()
        found["sasl_plain_username"] = settings.username
        password = secret(settings.password, settings.password_file, key="kafka.password")
        if password is None:
            raise SettingsError("kafka.password: is required with kafka.sasl; set it, or password_file")
        found["sasl_plain_password"] = password
    return found


def consuming(settings: Kafka) -> Mapping[str, Any]:
    """Return what members of groups are told."""
    return {
        # A group that never committed starts at the oldest record. The same would follow where records were lost
        # before they were read, silently: `losses` watches for that.
        "auto_offset_reset": "earliest",
        "enable_auto_commit": False,
        "session_timeout_ms": _ms(settings.session_seconds),
        "heartbeat_interval_ms": _ms(settings.heartbeat_seconds),
        "rebalance_timeout_ms": _ms(settings.rebalance_seconds),
        "request_timeout_ms": _ms(settings.rebalance_seconds + _BEYOND_REBALANCE),
        "max_partition_fetch_bytes": settings.max_record_bytes,
        "client_rack": settings.rack,
    }


def gathering(span: timedelta) -> Mapping[str, Any]:
    """Return what members of a group are told for whom the brokers may gather records for so long."""
    return {"fetch_min_bytes": _MANY_BYTES, "fetch_max_wait_ms": span // _MILLISECOND} if span else {}


def producing(settings: Kafka) -> Mapping[str, Any]:
    """Return what producers are told. With idempotence a batch never expires: waiting for one must be bounded."""
    return {
        "acks": "all",
        "enable_idempotence": True,
        "max_batch_size": settings.batch_bytes,
        "linger_ms": settings.linger_ms,
        "max_request_size": settings.max_record_bytes,
        "request_timeout_ms": _ms(_PRODUCE_SECONDS),
    }


def _check_address(server: str) -> None:
    try:
        [(host, port, _)] = collect_hosts([server])
    except ValueError:
        host, port = "", 0
    if not host or not 0 < port <= _MOST_PORT:
        raise SettingsError(f"kafka.bootstrap_servers: {server!r} is not host:port")


def _context(settings: Kafka) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=settings.ca_file)
        if settings.certificate_file is not None:
            # An encrypted key would ask for its password on the terminal; this one makes it fail instead.
            context.load_cert_chain(settings.certificate_file, settings.key_file, password="")
    except (OSError, ssl.SSLError) as error:
        files = ", ".join(
            name for name in ("ca_file", "certificate_file", "key_file") if getattr(settings, name) is not None
        )
        raise SettingsError(f"kafka: the files of {files} cannot be used: {error}") from error
    return context


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
