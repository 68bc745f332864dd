"""Settings → everything that the services are made from."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from importlib import resources
from pathlib import Path
from random import Random
from typing import Any

from tocsin.clock import Clock
from tocsin.consume.loop import Loop
from tocsin.envelope import audit_record
from tocsin.errors import SettingsError
from tocsin.lifecycle import AuditEvent
from tocsin.observe.metrics import Metrics
from tocsin.runtime import backends
from tocsin.runtime.service import Channel, Context
from tocsin.runtime.sweep import Sweep
from tocsin.settings import sections
from tocsin.settings.values import Settings
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
    delivers: frozenset[str] | None = None,
    clock: Clock,
    random: Random,
    randbytes: Callable[[int], bytes],
) -> AsyncIterator[Wired]:
    """Open everything. `channels` are those that are installed, `delivers` those that this process delivers on.

    Raises SettingsError, TemplateError, LogLocked, LogUnavailable, StoreUnavailable, TopicMismatch, each saying what
    to do.
    """
    metrics = Metrics(version=version)
    async with AsyncExitStack() as stack:
        backend = await stack.enter_async_context(
            backends.opened(settings, channels=channels, clock=clock, metrics=metrics, randbytes=randbytes)
        )
        keys = Keys(store=backend.store, clock=clock)
        versions = TemplateVersions(store=backend.store, clock=clock)
        context = Context(
            settings=settings,
            clock=clock,
            random=random,
            randbytes=randbytes,
            log=backend.log,
            publisher=backend.publisher,
            ledger=backend.ledger,
            store=backend.store,
            metrics=metrics,
            templates=await _templates(settings, versions),
            template_versions=versions,
            channels=channels,
            delivers=frozenset(channels) if delivers is None else delivers,
            audit_retention=backend.audit_retention,
            authenticator=Authenticator(keys, monotonic=clock.monotonic),
        )
        keep = timedelta(seconds=settings.section("delivery", sections.Delivery).max_expires_in_seconds)
        sweep = Sweep(backend.ledger, clock=clock, keep=keep + _LEDGER_MARGIN)
        yield Wired(context=context, keys=keys, loops=(sweep,))


async def _templates(settings: Settings, versions: TemplateVersions) -> Catalogue:
    """Return the templates on disk, and keep their versions: a delivery is pinned to the one it was accepted with."""
    found = templates_on_disk(settings)
    current = [template for name in found.names() if (template := found.current(name)) is not None]
    await versions.keep({(template.name, template.version): template.files for template in current})
    return found


def templates_on_disk(settings: Settings) -> Catalogue:
    """Return the templates that the settings name. Raises SettingsError, TemplateError."""
    configured = settings.section("templates", sections.Templates)
    limits = Limits(seconds=configured.max_render_ms / 1000, output=configured.max_output_bytes)
    return catalogue.load(_template_root(configured.root), default_locale=configured.default_locale, limits=limits)


def _template_root(configured: str) -> Path:
    if configured:
        root = Path(configured).expanduser()
        if not root.is_dir():
            raise SettingsError(f"templates.root: there is no folder {root}")
        return root
    local = Path("configs/templates")
    return local if local.is_dir() else Path(str(resources.files("configs").joinpath("templates")))
