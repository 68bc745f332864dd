"""The only place that names adapters: settings → everything that the services are made from, open."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from importlib import resources
from pathlib import Path
from random import Random
from typing import Any

from tocsin import topics
from tocsin.clock import Clock
from tocsin.consume.loop import Loop
from tocsin.envelope import audit_record
from tocsin.errors import SettingsError
from tocsin.eventlog.embedded import snapshot as log_snapshot
from tocsin.eventlog.embedded.log import EmbeddedConfig, EmbeddedLog, open_log
from tocsin.eventlog.embedded.retention import Retention
from tocsin.ledger.embedded import EmbeddedLedger
from tocsin.lifecycle import AuditEvent
from tocsin.observe.metrics import Metrics
from tocsin.runtime.backup import LogFile
from tocsin.runtime.service import Channel, Context
from tocsin.runtime.sweep import Sweep
from tocsin.settings import sections
from tocsin.settings.values import Settings
from tocsin.store import migrate
from tocsin.store.engine import open_store
from tocsin.store.keys import Keys
from tocsin.store.template_versions import TemplateVersions
from tocsin.templates import catalogue
from tocsin.templates.budget import Limits
from tocsin.templates.catalogue import Catalogue
from tocsin.web.auth import Authenticator

# What the ledger remembers beyond the longest life: time for a replay to be asked for and to end.
_LEDGER_MARGIN = timedelta(days=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wired:
    """What the services are made from, the keys of the API, and the loops that belong to no service."""

    context: Context
    keys: Keys
    loops: tuple[Loop, ...]

    async def publish(self, event: AuditEvent) -> None:
        """Make an audit event durable. Raises LogUnavailable."""
        await self.context.publisher.write([audit_record(event)])


@asynccontextmanager
async def wired(
    settings: Settings,
    *,
    version: str,
    channels: Mapping[str, Channel[Any]],
    clock: Clock,
    random: Random,
    randbytes: Callable[[int], bytes],
) -> AsyncIterator[Wired]:
    """Open everything on the embedded log, migrated and with its topics.

    Raises SettingsError, TemplateError, LogLocked, LogUnavailable, StoreUnavailable, each saying what to do.
    """
    metrics = Metrics(version=version)
    async with AsyncExitStack() as stack:
        log = await stack.enter_async_context(open_log(_log_config(settings), clock=clock, metrics=metrics))
        await log.ensure_topics(topics.of_channels(channels))
        ledger = await _ledger(settings, log, clock)
        store = await stack.enter_async_context(open_store(_store_url(settings)))
        await migrate.upgrade(store)
        keys = Keys(store=store, clock=clock)
        versions = TemplateVersions(store=store, clock=clock)
        context = Context(
            settings=settings,
            clock=clock,
            random=random,
            randbytes=randbytes,
            log=log,
            publisher=await stack.enter_async_context(log.publisher()),
            ledger=ledger,
            store=store,
            metrics=metrics,
            templates=await _templates(settings, versions),
            template_versions=versions,
            channels=channels,
            authenticator=Authenticator(keys, monotonic=clock.monotonic),
        )
        keep = timedelta(seconds=settings.section("delivery", sections.Delivery).max_expires_in_seconds)
        sweep = Sweep(ledger, clock=clock, keep=keep + _LEDGER_MARGIN)
        yield Wired(context=context, keys=keys, loops=(sweep,))


def log_file() -> LogFile:
    """Return what a backup does to the log's file."""
    return log_snapshot


def data_dir(settings: Settings) -> Path:
    """Return the folder of the gateway's data."""
    return Path(settings.section("", sections.Top).data_dir).expanduser()


def _log_config(settings: Settings) -> EmbeddedConfig:
    log = settings.section("eventlog", sections.EventLog)
    age, audit_age = timedelta(hours=log.retention_hours), timedelta(hours=log.audit_retention_hours)
    return EmbeddedConfig(
        directory=data_dir(settings),
        partitions=log.partitions,
        retention=Retention(
            ages={"delivery": age, "retry": age, "dlq": age, "audit": audit_age}, max_bytes=log.max_bytes
        ),
        queue_limit=log.queue_limit,
    )


async def _ledger(settings: Settings, log: EmbeddedLog, clock: Clock) -> EmbeddedLedger:
    lease = timedelta(seconds=settings.section("worker", sections.Worker).lease_seconds)
    ledger = EmbeddedLedger(log, clock=clock, lease=lease)
    await ledger.open()
    return ledger


def _store_url(settings: Settings) -> str:
    return settings.section("store", sections.Store).url or f"sqlite:///{data_dir(settings) / 'store.db'}"


async def _templates(settings: Settings, versions: TemplateVersions) -> Catalogue:
    """Return the templates on disk, and keep their versions: a delivery is pinned to the one it was accepted with."""
    configured = settings.section("templates", sections.Templates)
    limits = Limits(seconds=configured.max_render_ms / 1000, output=configured.max_output_bytes)
    found = catalogue.load(_template_root(configured.root), default_locale=configured.default_locale, limits=limits)
    current = [template for name in found.names() if (template := found.current(name)) is not None]
    await versions.keep({(template.name, template.version): template.files for template in current})
    return found


def _template_root(configured: str) -> Path:
    if configured:
        root = Path(configured).expanduser()
        if not root.is_dir():
            raise SettingsError(f"templates.root: there is no folder {root}")
        return root
    local = Path("configs/templates")
    return local if local.is_dir() else Path(str(resources.files("configs").joinpath("templates")))
