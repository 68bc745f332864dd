"""The channels service: for each channel a worker a lane, fresh and retried traffic apart."""

from collections.abc import Callable, Hashable, Iterator, Mapping
from datetime import timedelta
from functools import partial
from typing import Any

from channels import routes as routing
from channels.admission import Admission
from channels.attempt import AttemptConfig, Attempts
from channels.changes import RouteChanges
from channels.hearing import Hearing
from channels.pinned import PinnedTemplates
from channels.provider import Carrier
from channels.reading import Reader
from channels.refreshing import Refreshing
from channels.rotating import RotatingCarrier
from channels.rotation import Rotatable, Rotation
from channels.routes import Routes
from channels.shifts import Shifts
from channels.tally import Tally
from tocsin import receipts, schemas, topics
from tocsin.consume.loop import Loop
from tocsin.consume.permits import Stream
from tocsin.consume.worker import Budget, Worker, WorkerConfig
from tocsin.delivery import Lane
from tocsin.receipts import Verdict
from tocsin.retry import RetryPolicy
from tocsin.runtime.service import CarrierContext, Channel, Context, Part, Service
from tocsin.settings import secret_files, sections
from tocsin.settings.secret_files import FileWatch
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
    shared: dict[str, Routes] = {}
    checks = {refreshing.name: lambda: Check(ok=refreshing.healthy, detail=refreshing.detail)}
    rotation = Rotation(clock=context.clock, changes=changes, metrics=context.metrics)
    carrying = _carrying(context)
    for channel in (each for name, each in context.channels.items() if name in context.delivers):
        watch = FileWatch(secret_files.named(context.settings, channel.settings))
        carrier: Carrier = channel.carrier(carrying)
        tally = Tally(channel.name, metrics=context.metrics)
        routes = _routes(context, channel.name, carrier, changes)
        if watch:
            carrier = rotating = RotatingCarrier(carrier)
            make = partial(channel.carrier, carrying)
            rotation.watch(channel.name, Rotatable(watch=watch, make=make, carrier=rotating, routes=routes))
        carriers.append(carrier)
        shared |= {channel.name: routes} if routes.shared else {}
        workers.extend(_workers(context, channel, carrier, tally, budget, routes=routes, suppressed=suppressed))
        checks[f"channel_{channel.name}"] = _check(tally, routes, partial(rotation.refused, channel.name))

    async def aclose() -> None:
        for carrier in carriers:
            await carrier.aclose()

    loops: list[Loop] = [*workers, refreshing, rotation, *_sharing(context, shared, changes), changes]
    return Part(loops=loops, checks=checks, aclose=aclose)


def _carrying(context: Context) -> CarrierContext:
    return CarrierContext(
        settings=context.settings,
        clock=context.clock,
        random=context.random,
        metrics=context.metrics,
        templates=context.templates,
        store=context.store,
        wakeups=context.wakeups,
    )


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
        suppressed=lambda each: suppressed.reason(each.tenant, each.channel, each.address, each.category),
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
    )


def _sharing(context: Context, shared: Mapping[str, Routes], changes: RouteChanges) -> Iterator[Loop]:
    """Return the loops of the channels whose providers share the deliveries out by how well they do."""

    def hear(judged: Hashable) -> None:
        if isinstance(judged, Verdict) and (routes := shared.get(judged.channel)) is not None:
            routes.heard(judged)

    if not shared:
        return
    yield Shifts(shared, clock=context.clock, on_shift=changes.shifted)
    if context.settings.section("kafka", sections.Kafka).bootstrap_servers:
        yield Hearing(log=context.log, clock=context.clock, hear=hear)
    else:
        context.wakeups.listen(receipts.JUDGED, hear)


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


def _check(tally: Tally, routes: Routes, refused: Callable[[], str] = lambda: "") -> Callable[[], Check]:
    """Return the readiness of a channel. A provider that is down is told, and does not make the gateway unready: it
    would take no notification for any channel any more. Wrong settings do. New secrets that are of no use are told:
    the old ones still do."""

    def check() -> Check:
        if tally.halted:
            detail = "too many deliveries died of our own errors; see the log, mend it, and restart"
            return Check(ok=False, detail=detail)
        conditions = routes.conditions
        misconfigured = all(condition.misconfigured for condition in conditions.values())
        told = [*routing.closed(conditions), refused()]
        return Check(ok=not misconfigured, detail="; ".join(each for each in told if each))

    return check


service = Service(name="channels", settings={}, build=_build)
