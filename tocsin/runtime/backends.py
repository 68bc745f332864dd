"""What Tocsin stands on, open: the event log, the ledger that goes with it, and the store. Only this names adapters.

On one machine: the embedded log with the ledger in its file. On a cluster: Kafka, with the ledger in PostgreSQL, since
several processes share it.
"""

from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from tocsin import topics
from tocsin.clock import Clock
from tocsin.errors import SettingsError
from tocsin.eventlog.embedded import snapshot
from tocsin.eventlog.embedded.log import EmbeddedConfig
from tocsin.eventlog.embedded.log import open_log as open_embedded_log
from tocsin.eventlog.embedded.retention import Retention
from tocsin.eventlog.port import EventLog, Publisher
from tocsin.ledger.embedded import EmbeddedLedger
from tocsin.ledger.postgres import PostgresLedger, PostgresLedgerConfig, open_ledger
from tocsin.observe.metrics import Metrics
from tocsin.runtime.backup import LogFile
from tocsin.settings import sections
from tocsin.settings.secrets import secret
from tocsin.settings.values import Settings
from tocsin.store import migrate
from tocsin.store.engine import Store, open_store
from tocsin.store.postgres import PostgresConfig
from tocsin.topics import TopicSpec

if TYPE_CHECKING:
    from tocsin.eventlog.kafka.layout import Layout

_SUBMIT_MARGIN_SECONDS = 5.0
# Of the time that a submit has in all.
_PATIENCE = 0.8
_POSTGRES = frozenset({"postgresql", "postgres", "postgresql+asyncpg"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Backend:
    """Everything that keeps something. `audit_retention` is how long the log keeps the events of the audit."""

    log: EventLog
    publisher: Publisher
    ledger: EmbeddedLedger | PostgresLedger
    store: Store
    audit_retention: timedelta


def clustered(settings: Settings) -> bool:
    """Return whether the settings name a Kafka cluster."""
    return bool(settings.section("kafka", sections.Kafka).bootstrap_servers)


@asynccontextmanager
async def opened(
    settings: Settings,
    *,
    channels: Iterable[str],
    clock: Clock,
    metrics: Metrics,
    randbytes: Callable[[int], bytes],
) -> AsyncIterator[Backend]:
    """Open what the settings name, migrated and with its topics.

    Raises SettingsError, LogLocked, LogUnavailable, StoreUnavailable, TopicMismatch, each saying what to do.
    """
    kind = (
        _clustered(settings, clock, metrics, randbytes) if clustered(settings) else _embedded(settings, clock, metrics)
    )
    async with kind as backend:
        events = topics.of_events(settings.section("rules", sections.Rules).topics)
        await backend.log.ensure_topics([*topics.of_channels(channels), *events])
        yield backend


def event_log(settings: Settings, *, clock: Clock, metrics: Metrics) -> AbstractAsyncContextManager[EventLog]:
    """Open the event log and nothing else, for a program that is no part of the gateway. Its topics are its own affair.

    Raises SettingsError where there is no cluster (the embedded log is of one process), LogUnavailable.
    """
    return _kafka_log(_cluster(settings), clock, metrics)


async def make_topics(settings: Settings, specs: Sequence[TopicSpec]) -> None:
    """Make topics on the cluster, and mend those that are not as the list says: what `tocsin topics apply` does.

    What could lose records is left as it is. Raises SettingsError, LogUnavailable.
    """
    from tocsin.eventlog.kafka import topics as kafka_topics  # noqa: PLC0415 - as in _kafka_log
    from tocsin.eventlog.kafka.clients import KafkaClients  # noqa: PLC0415

    configured = _cluster(settings)
    clients, seconds = KafkaClients(configured), configured.lookup_timeout_seconds
    async with kafka_topics.opened(clients, _layout(configured), seconds=seconds) as there:
        await there.apply(await there.plan(specs), specs)


def _cluster(settings: Settings) -> sections.Kafka:
    if not clustered(settings):
        raise SettingsError(
            "kafka.bootstrap_servers is empty, and the embedded log is of one process: for several set "
            "TOCSIN__KAFKA__BOOTSTRAP_SERVERS=host:9092"
        )
    return settings.section("kafka", sections.Kafka)


async def migrate_store(settings: Settings) -> None:
    """Bring the store's tables up to date. Raises SettingsError, StoreUnavailable."""
    async with _store(settings) as opened_store:
        await migrate.upgrade(opened_store)


@asynccontextmanager
async def _store(settings: Settings) -> AsyncIterator[Store]:
    configured = settings.section("store", sections.Store)
    config = PostgresConfig(
        write_connections=configured.write_connections,
        read_connections=configured.read_connections,
        connect_timeout=timedelta(seconds=configured.connect_timeout_seconds),
        command_timeout=timedelta(seconds=configured.command_timeout_seconds),
        prepared_statements=configured.prepared_statements,
    )
    url = _store_url(configured) or f"sqlite:///{data_dir(settings) / 'store.db'}"
    async with open_store(url, config=config) as opened_store:
        yield opened_store


def _store_url(configured: sections.Store) -> str:
    """Return the URL with the password that lies in a file, as a parameter of libpq. Raises SettingsError."""
    password = secret(None, configured.password_file, key="store.password")
    if password is None:
        return configured.url
    parts = urlsplit(configured.url)
    if parts.scheme not in _POSTGRES:
        raise SettingsError("store.password_file is for PostgreSQL: set store.url as well, or take it away")
    if parts.password is not None or "password" in dict(parse_qsl(parts.query)):
        raise SettingsError("store.url holds a password, and store.password_file names one too; keep one of them")
    query = "&".join(filter(None, (parts.query, urlencode({"password": password}))))
    return urlunsplit(parts._replace(query=query))


@asynccontextmanager
async def _ready_store(settings: Settings) -> AsyncIterator[Store]:
    """Open the store. A file is brought up to date here; a server is shared, and an operator's to change."""
    async with _store(settings) as opened_store:
        if _on_postgres(settings):
            await migrate.check(opened_store)
        else:
            await migrate.upgrade(opened_store)
        yield opened_store


def _on_postgres(settings: Settings) -> bool:
    return urlsplit(settings.section("store", sections.Store).url).scheme in _POSTGRES


def log_file() -> LogFile:
    """Return what a backup does to the embedded log's file."""
    return snapshot


def data_dir(settings: Settings) -> Path:
    """Return the folder of the gateway's data."""
    return Path(settings.section("", sections.Top).data_dir).expanduser()


@asynccontextmanager
async def _embedded(settings: Settings, clock: Clock, metrics: Metrics) -> AsyncIterator[Backend]:
    async with AsyncExitStack() as stack:
        log = await stack.enter_async_context(
            open_embedded_log(_embedded_config(settings), clock=clock, metrics=metrics)
        )
        ledger = EmbeddedLedger(log, clock=clock, lease=_lease(settings))
        await ledger.open()
        yield Backend(
            log=log,
            publisher=await stack.enter_async_context(log.publisher()),
            ledger=ledger,
            store=await stack.enter_async_context(_ready_store(settings)),
            audit_retention=timedelta(hours=settings.section("eventlog", sections.EventLog).audit_retention_hours),
        )


@asynccontextmanager
async def _clustered(
    settings: Settings, clock: Clock, metrics: Metrics, randbytes: Callable[[int], bytes]
) -> AsyncIterator[Backend]:
    if not _on_postgres(settings):
        raise SettingsError(
            "kafka.bootstrap_servers is set, so several processes may share the work, and what they share is kept in "
            "PostgreSQL: set store.url (TOCSIN__STORE__URL) to postgresql://user:password@host/database"
        )
    configured = settings.section("kafka", sections.Kafka)
    if settings.section("worker", sections.Worker).drain_seconds >= configured.rebalance_seconds:
        raise SettingsError(
            "worker.drain_seconds must be below kafka.rebalance_seconds, or the group would not wait for a drain"
        )
    async with AsyncExitStack() as stack:
        log = await stack.enter_async_context(_kafka_log(configured, clock, metrics))
        # A submit is answered when it is written: it shall not wait behind a batch of settlements.
        settling = await stack.enter_async_context(log.publisher(apart=True))
        opened_store = await stack.enter_async_context(_ready_store(settings))
        ledger = await stack.enter_async_context(
            open_ledger(
                store=opened_store,
                log=log,
                publisher=settling,
                clock=clock,
                config=_ledger_config(settings),
                owner=randbytes(8).hex(),
            )
        )
        yield Backend(
            log=log,
            publisher=await stack.enter_async_context(log.publisher()),
            ledger=ledger,
            store=opened_store,
            audit_retention=timedelta(hours=_layout(configured).of("audit").retention_hours),
        )


def _kafka_log(configured: sections.Kafka, clock: Clock, metrics: Metrics) -> AbstractAsyncContextManager[EventLog]:
    # The client library is several megabytes that the embedded log has no use for.
    from tocsin.eventlog.kafka.log import open_log as open_kafka_log  # noqa: PLC0415

    return open_kafka_log(configured, layout=_layout(configured), clock=clock, metrics=metrics)


def _layout(configured: sections.Kafka) -> "Layout":
    from tocsin.eventlog.kafka import layout  # noqa: PLC0415 - as above

    return layout.load(layout.find(configured.topics_file), replication=configured.replication)


def _embedded_config(settings: Settings) -> EmbeddedConfig:
    log = settings.section("eventlog", sections.EventLog)
    age, audit_age = timedelta(hours=log.retention_hours), timedelta(hours=log.audit_retention_hours)
    return EmbeddedConfig(
        directory=data_dir(settings),
        partitions=log.partitions,
        retention=Retention(
            ages={"delivery": age, "retry": age, "dlq": age, "event": age, "audit": audit_age}, max_bytes=log.max_bytes
        ),
        queue_limit=log.queue_limit,
    )


def _ledger_config(settings: Settings) -> PostgresLedgerConfig:
    write = settings.section("kafka", sections.Kafka).write_timeout_seconds
    publish = settings.section("eventlog", sections.EventLog).publish_timeout_seconds
    return PostgresLedgerConfig(
        lease=_lease(settings),
        # A submit that was cut off may still be writing for as long.
        submit_lease=timedelta(seconds=write + _SUBMIT_MARGIN_SECONDS),
        patience=timedelta(seconds=publish * _PATIENCE),
    )


def _lease(settings: Settings) -> timedelta:
    return timedelta(seconds=settings.section("worker", sections.Worker).lease_seconds)
