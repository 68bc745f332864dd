"""The producer: the way in over HTTP."""

from datetime import timedelta

from producer.api import Api, Sizes
from producer.check import Checker, Limits
from producer.schema import composed
from producer.submit import SubmitConfig, Submitter
from tocsin import schemas
from tocsin.runtime.service import Context, Part, Service
from tocsin.settings import sections
from tocsin.settings.values import Settings
from tocsin.validation import Schema


def _build(context: Context) -> Part:
    http = context.settings.section("http", sections.Http)
    schema = Schema(composed(schemas.document("notification"), context.channels.values()))
    checker = Checker(channels=context.channels, templates=context.templates, limits=_limits(context.settings))
    submitter = Submitter(
        _config(context.settings),
        schema=schema,
        checker=checker,
        ledger=context.ledger,
        clock=context.clock,
        randbytes=context.randbytes,
    )
    sizes = Sizes(notification=http.max_notification_bytes, batch=http.max_batch_bytes, items=http.max_batch_items)
    api = Api(submitter, sizes=sizes, metrics=context.metrics, schema=schema.document)
    return Part(router=api.router)


def _config(settings: Settings) -> SubmitConfig:
    delivery = settings.section("delivery", sections.Delivery)
    log = settings.section("eventlog", sections.EventLog)
    return SubmitConfig(
        keep_keys=timedelta(hours=settings.section("idempotency", sections.Idempotency).keep_hours),
        at_most_once_categories=frozenset(delivery.at_most_once_categories),
        timeout=timedelta(seconds=log.publish_timeout_seconds),
    )


def _limits(settings: Settings) -> Limits:
    delivery = settings.section("delivery", sections.Delivery)
    return Limits(
        default_expires_in=timedelta(seconds=delivery.default_expires_in_seconds),
        max_expires_in=timedelta(seconds=delivery.max_expires_in_seconds),
    )


service = Service(name="producer", settings={}, build=_build)
