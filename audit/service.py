"""The audit: from `notifications.audit` into SQL, and out of it over HTTP."""

from datetime import timedelta

from audit import tables
from audit.api import Api
from audit.arrivals import Arrivals
from audit.ingest import AuditSink
from audit.reconcile import Reconciler
from audit.retention import Retention
from audit.timeline import Timelines
from tocsin import topics
from tocsin.consume.ingest import Ingest
from tocsin.runtime.service import Context, Part, Service
from tocsin.settings import sections
from tocsin.web.health import Check

# Under load a round waits for a busy loop some seven times, whatever is in it: with few in a round the audit falls
# behind. Twice as many are in memory.
_BATCH = 1200


def _build(context: Context) -> Part:
    arrivals = Arrivals(context.clock)
    ingest = Ingest(
        name="audit.ingest",
        topics=[topics.AUDIT],
        group=topics.sink_group("audit", "ingest"),
        log=context.log,
        store=context.store,
        sink=AuditSink(),
        metrics=context.metrics,
        clock=context.clock,
        limit=_BATCH,
        on_committed=arrivals.committed,
    )
    timelines = Timelines(store=context.store, arrivals=arrivals, clock=context.clock)
    return Part(
        router=Api(store=context.store, timelines=timelines).router,
        loops=(_reconciler(context), _retention(context), ingest),
        checks={"audit": lambda: Check(ok=ingest.healthy, detail=ingest.detail)},
    )


def _reconciler(context: Context) -> Reconciler:
    settings = context.settings.section("audit", sections.Audit)
    return Reconciler(
        store=context.store,
        metrics=context.metrics,
        clock=context.clock,
        interval=timedelta(seconds=settings.reconcile_interval_seconds),
        grace=timedelta(seconds=settings.overdue_grace_seconds),
    )


def _retention(context: Context) -> Retention:
    days = context.settings.section("store", sections.Store).retention_days
    return Retention(store=context.store, clock=context.clock, keep=timedelta(days=days))


service = Service(name="audit", settings={}, build=_build, tables=tables.metadata)
