"""The channels service: for each channel a worker a lane, fresh and retried traffic apart."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from typing import Any

from channels import routes as routing
from channels.admission import Admission
from channels.attempt import AttemptConfig, Attempts
from channels.changes import RouteChanges
from channels.pinned import PinnedTemplates
from channels.provider import Carrier, Weighted
from channels.reading import Reader
from channels.refreshing import Refreshing
from channels.routes import Routes
from channels.tally import Tally
from tocsin import schemas, topics
from tocsin.consume.permits import Stream
from tocsin.consume.worker import Budget, Worker, WorkerConfig
from tocsin.delivery import Lane
from tocsin.retry import RetryPolicy
from tocsin.runtime.service import CarrierContext, Channel, Context, Part, Service
from tocsin.settings import sections
from tocsin.store.suppressed import SuppressedAddresses
from tocsin.tiers import TIERS
from tocsin.web.health import Check


def _build(context: Context) -> Part:
    budget = Budget(context.settings.section("worker", sections.Worker).buffer_bytes)
    suppressed = SuppressedAddresses(store=context.store, clock=context.clock)
    refreshing = Refreshing(suppressed, clock=context.clock)
    changes = RouteChanges(publisher=context.publisher, clock=context.clock, metrics=context.metrics)
    carriers: list[Carrier] = []
    workers: list[Worker] = []
    checks = {refreshing.name: lambda: Check(ok=refreshing.healthy, detail=refreshing.detail)}
    for channel in (each for name, each in context.channels.items() if name in context.delivers):
        carrier = channel.carrier(
            CarrierContext(
                settings=context.settings,
                clock=context.clock,
                random=context.random,
                metrics=context.metrics,
                templates=context.templates,
            )
        )
        carriers.append(carrier)
        tally = Tally(channel.name, metrics=context.metrics)
        routes = _routes(context, channel.name, carrier, changes)
        workers.extend(_workers(context, channel, carrier, tally, budget, routes=routes, suppressed=suppressed))
        checks[f"channel_{channel.name}"] = _check(tally, routes)

    async def aclose() -> None:
        for carrier in carriers:
            await carrier.aclose()

    return Part(loops=[*workers, refreshing, changes], checks=checks, aclose=aclose)


def _workers(
    context: Context,
    channel: Channel[Any],
    carrier: Carrier,
    tally: Tally,
    budget: Budget,
    *,
    routes: Routes,
    suppressed: SuppressedAddresses,
) -> Iterator[Worker]:
    settings = context.settings.section("worker", sections.Worker)
    handler = Attempts(
        AttemptConfig(
            channel=channel.name,
            policy=_policy(context.settings.section("retry", sections.Retry)),
            deadline=timedelta(seconds=settings.attempt_seconds),
        ),
        reader=Reader(schemas.load("delivery")),
        carrier=carrier,
        ledger=context.ledger,
        clock=context.clock,
        random=context.random.random,
        tally=tally,
        routes=routes,
        fetch_template=PinnedTemplates(context.templates, context.template_versions).fetch,
        suppressed=lambda each: suppressed.reason(each.tenant, each.channel, each.address),
    )
    permits = Admission(settings.in_flight, routes)
    context.metrics.in_flight(channel.name).set_function(lambda: permits.in_flight)
    lateness = context.metrics.retry_lateness_seconds(channel.name)
    for lane in Lane:
        for retrying in (False, True):
            worker = Worker(
                log=context.log,
                ledger=context.ledger,
                topics=topics.retries(channel.name, lane) if retrying else [topics.delivery(channel.name, lane)],
                group=topics.worker_group(channel.name, lane, retrying=retrying),
                stream=Stream(lane=lane, retrying=retrying),
                handler=handler,
                permits=permits,
                budget=budget,
                clock=context.clock,
                config=_config(settings, retrying=retrying),
                on_released=lambda late: lateness.observe(late.total_seconds()),
                may_take=lambda: suppressed.loaded and not tally.halted and routes.may_take(),
            )
            context.metrics.unfinished_records(worker.name).set_function(partial(getattr, worker, "unfinished"))
            yield worker


def _routes(context: Context, channel: str, carrier: Carrier, changes: RouteChanges) -> Routes:
    for provider in carrier.providers:
        changes.watch(channel, provider.name)
    return Routes(
        carrier.providers,
        clock=context.clock,
        random=context.random.random,
        on_change=partial(changes.tell, channel),
        weights=carrier.weights if isinstance(carrier, Weighted) else None,
    )


def _config(settings: sections.Worker, *, retrying: bool) -> WorkerConfig:
    # What waits is held in memory: the retry topics of a lane share the window that its fresh topic has.
    topics_read = len(TIERS) if retrying else 1
    return WorkerConfig(
        unfinished_records=max(1, settings.unfinished_per_partition // topics_read),
        unfinished_bytes=settings.unfinished_bytes_per_partition,
        drain=timedelta(seconds=settings.drain_seconds),
        commit_interval=timedelta(seconds=settings.commit_interval_seconds),
        commit_every=settings.commit_every,
    )


def _policy(settings: sections.Retry) -> RetryPolicy:
    return RetryPolicy(
        max_attempts=settings.max_attempts,
        jitter=settings.jitter,
        max_retry_after=timedelta(hours=settings.max_retry_after_hours),
        max_unconfirmed=settings.max_unconfirmed,
    )


def _check(tally: Tally, routes: Routes) -> Callable[[], Check]:
    """Return the readiness of a channel. A provider that is down is told, and does not make the gateway unready: it
    would take no notification for any channel any more. Wrong settings do."""

    def check() -> Check:
        if tally.halted:
            detail = "too many deliveries died of our own errors; see the log, mend it, and restart"
            return Check(ok=False, detail=detail)
        conditions = routes.conditions
        misconfigured = all(condition.misconfigured for condition in conditions.values())
        return Check(ok=not misconfigured, detail="; ".join(routing.closed(conditions)))

    return check


service = Service(name="channels", settings={}, build=_build)
