"""Kafka logs for tests: quick to notice rebalances, on topics that the test makes for itself."""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

import msgspec

from tocsin.clock import Clock
from tocsin.eventlog.kafka import topics
from tocsin.eventlog.kafka.clients import Clients, KafkaClients
from tocsin.eventlog.kafka.layout import KindSettings, KindTable, Layout
from tocsin.eventlog.kafka.log import KafkaLog, open_log
from tocsin.observe.metrics import Metrics
from tocsin.settings.sections import Kafka
from tocsin.topics import TopicSpec

_KIND = KindSettings(partitions=8, retention_hours=168)
LAYOUT = Layout(
    replication=1,
    min_insync_replicas=1,
    max_message_bytes=1_179_648,
    kinds=KindTable(delivery=_KIND, retry=_KIND, dlq=_KIND, audit=_KIND),
)


def kafka_settings(bootstrap: str, **others: Any) -> Kafka:
    """Return settings for a cluster on this machine."""
    quick: dict[str, Any] = {"heartbeat_seconds": 0.1, "linger_ms": 0, "session_seconds": 6.0}
    return msgspec.convert({"bootstrap_servers": bootstrap.split(","), **quick, **others}, Kafka)


def open_kafka_log(
    settings: Kafka, *, clock: Clock, metrics: Metrics, clients: Clients | None = None
) -> AbstractAsyncContextManager[KafkaLog]:
    """Open a log whose topics have 8 partitions and one copy."""
    return open_log(settings, layout=LAYOUT, clock=clock, metrics=metrics, clients=clients)


async def make_topics(settings: Kafka, specs: Sequence[TopicSpec], *, layout: Layout = LAYOUT) -> None:
    """Make topics, as `tocsin topics apply` does."""
    async with topics.opened(KafkaClients(settings), layout, seconds=10) as there:
        await there.apply(await there.plan(specs), specs)
