"""The producer: the way in, over HTTP and over the log."""

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from functools import partial
from typing import Any

from fastapi import APIRouter, Response
from fastapi.routing import APIRoute

from producer import asyncapi
from producer.api import Api, Sizes
from producer.backlog import Backlog
from producer.check import Checker, limits_of
from producer.request import RequestReader
from producer.requests import Intake, Requests
from producer.rules import part as rules
from producer.rules.reader import EventReader, ReplayReader
from producer.rules.trial import open_trial
from producer.schema import composed
from producer.submit import SubmitConfig, Submitter
from producer.suppressing import SuppressionSink
from producer.suppressions_api import SuppressionsApi
from producer.tallies import RequestTally
from tocsin import schemas, topics
from tocsin.consume.ingest import Ingest
from tocsin.runtime.service import Context, Part, Service
from tocsin.settings import sections
from tocsin.settings.values import Settings
from tocsin.validation import Schema
from tocsin.web.health import Check

# Of all of the audit it wants the bounces and complaints, and they were long in coming.
_GATHER = timedelta(milliseconds=500)


def _build(context: Context) -> Part:
    schema = Schema(composed(schemas.document("notification"), context.channels.values()))
    backlog = Backlog(context.log, retention=context.audit_retention, clock=context.clock)
    submitter = _submitter(context, schema, backlog)
    intake = partial(_requests, context, submitter)
    ruled = rules.build(context, submitter, schema=schema.document, intake=intake)
    requests = intake(_intake(context, ruled.reader))
    suppressing = _suppressing(context)
    parts = [ruled.part, *(each.part(context) for each in context.channels.values() if each.part is not None)]
    checks = {check: each for part in parts for check, each in part.checks.items()} | {
        requests.name: _check(requests),
        suppressing.name: _check(suppressing),
        backlog.name: lambda: Check(ok=not backlog.detail, detail=backlog.detail),
    }
    return Part(
        router=_router(context, submitter, schema, parts),
        loops=(requests, backlog, suppressing, *(loop for part in parts for loop in part.loops)),
        checks=checks,
        aclose=partial(_aclose, parts),
    )


async def _aclose(parts: Sequence[Part]) -> None:
    for part in parts:
        if part.aclose is not None:
            await part.aclose()


def _submitter(context: Context, schema: Schema, backlog: Backlog) -> Submitter:
    checker = Checker(
        channels={name: channel.under(context.settings) for name, channel in context.channels.items()},
        templates=context.templates,
        limits=limits_of(context.settings),
    )
    return Submitter(
        _config(context.settings),
        schema=schema,
        checker=checker,
        ledger=context.ledger,
        clock=context.clock,
        randbytes=context.randbytes,
        take_intake=backlog.take_intake,
        lookups={name: each.lookup(context) for name, each in context.channels.items() if each.lookup is not None},
    )


def _requests(context: Context, submitter: Submitter, intake: Intake) -> Requests:
    return Requests(
        intake,
        log=context.log,
        publisher=context.publisher,
        submitter=submitter,
        clock=context.clock,
        max_record_bytes=context.settings.section("kafka", sections.Kafka).max_record_bytes,
    )


def _intake(context: Context, replayed: EventReader) -> Intake:
    """Return what comes on `notifications.requests`: requests, and events that are replayed."""
    max_bytes = context.settings.section("http", sections.Http).max_notification_bytes
    reader = RequestReader(max_bytes=max_bytes, log_identity=context.log.identity)
    return Intake(
        name="producer.requests",
        topics=[topics.REQUESTS],
        group=topics.intake_group(),
        reader=ReplayReader(reader, replayed),
        tally=RequestTally(context.metrics, knows=replayed.knows),
    )


def _router(context: Context, submitter: Submitter, schema: Schema, parts: Sequence[Part]) -> APIRouter:
    http = context.settings.section("http", sections.Http)
    sizes = Sizes(notification=http.max_notification_bytes, batch=http.max_batch_bytes, items=http.max_batch_items)
    router = Api(submitter, sizes=sizes, metrics=context.metrics, schema=schema.document).router
    if http.docs_open:
        _publish(asyncapi.text(_asyncapi(schema, context.settings)), router)
    for part in parts:
        if part.router is not None:
            router.include_router(part.router)
    suppressions = SuppressionsApi(
        store=context.store, channels=context.channels, publisher=context.publisher, clock=context.clock
    )
    router.include_router(suppressions.router)
    return router


def _asyncapi(schema: Schema, settings: Settings) -> Mapping[str, Any]:
    return asyncapi.document(schema.document, events=settings.section("rules", sections.Rules).topics)


def _publish(text: str, router: APIRouter) -> None:
    """Serve the document beside the OpenAPI, which is no part of itself either."""

    async def answer() -> Response:
        return Response(text, media_type="application/json")

    # Not one of the router's own direct routes: nobody asks for it a thousand times a second.
    router.add_api_route("/asyncapi.json", answer, include_in_schema=False, route_class_override=APIRoute)


def _suppressing(context: Context) -> Ingest:
    sink = SuppressionSink(clock=context.clock)
    return Ingest(
        name=sink.name,
        topics=[topics.AUDIT],
        group=topics.sink_group("producer", "suppressing"),
        log=context.log,
        store=context.store,
        sink=sink,
        metrics=context.metrics,
        clock=context.clock,
        gather=_GATHER,
    )


def _check(loop: Requests | Ingest) -> Callable[[], Check]:
    return lambda: Check(ok=loop.healthy, detail=loop.detail)


def _config(settings: Settings) -> SubmitConfig:
    delivery = settings.section("delivery", sections.Delivery)
    log = settings.section("eventlog", sections.EventLog)
    return SubmitConfig(
        keep_keys=timedelta(hours=settings.section("idempotency", sections.Idempotency).keep_hours),
        at_most_once_categories=frozenset(delivery.at_most_once_categories),
        timeout=timedelta(seconds=log.publish_timeout_seconds),
    )


service = Service(name="producer", settings={}, build=_build, trial=open_trial)
