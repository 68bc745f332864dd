"""A broker that hangs, and one that dies and comes back: nothing waits for ever, and nothing is lost."""

import asyncio
import signal
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta

import pytest

from tests.support import kafka, kafka_jars
from tests.support.clock import ManualClock
from tests.support.kafka import Cluster
from tests.support.kafka_logs import kafka_settings, make_topics, open_kafka_log
from tests.support.logs import reading, write
from tests.support.waiting import until
from tocsin.errors import LogUnavailable
from tocsin.eventlog.kafka.log import KafkaLog
from tocsin.observe.metrics import Metrics
from tocsin.record import Record
from tocsin.topics import TopicSpec

pytestmark = pytest.mark.xdist_group("kafka")

TOPIC = "notifications.test"
# Long enough for a broker that answers, though the machine has other work. The session is longer than all of them: what
# has hung is a member still.
SHORT = {
    "write_timeout_seconds": 3.0,
    "commit_timeout_seconds": 3.0,
    "lookup_timeout_seconds": 3.0,
    "session_seconds": 60.0,
}


@pytest.fixture(scope="module")
def cluster(kafka_bootstrap: str) -> Iterator[Cluster]:  # noqa: ARG001 - where that one cannot be had, neither can this
    """A broker to mistreat."""
    if (reason := kafka_jars.missing()) is not None:
        pytest.skip(reason)
    with kafka.running() as running:
        yield running


@pytest.fixture
async def log(cluster: Cluster) -> AsyncIterator[KafkaLog]:
    settings = kafka_settings(cluster.bootstrap, **SHORT)
    await make_topics(settings, [TopicSpec(name=TOPIC, kind="delivery")])
    async with open_kafka_log(settings, clock=ManualClock(), metrics=Metrics(version="test")) as opened:
        yield opened


def record(value: bytes) -> Record:
    return Record(topic=TOPIC, key=b"key", value=value)


async def everything(log: KafkaLog, *, group: str, until_value: bytes) -> list[bytes]:
    """Return all values up to one."""
    found: list[bytes] = []
    async with asyncio.timeout(60), reading(log, TOPIC, group=group) as subscription:
        while until_value not in found:
            found += [each.value for each in await subscription.fetch(limit=100, wait=timedelta(seconds=1))]
    return found


async def test_while_a_broker_hangs_nothing_waits_for_ever_and_then_all_goes_on(
    cluster: Cluster, log: KafkaLog
) -> None:
    [node] = cluster.nodes
    await write(log, record(b"before"))
    async with reading(log, TOPIC, group="hanging") as subscription:
        place = next(iter(await subscription.fetch(limit=1, wait=timedelta(seconds=30)))).place
        cluster.signal(node, signal.SIGSTOP)
        try:
            async with asyncio.timeout(60):
                with pytest.raises(LogUnavailable, match="within 3 s"):
                    await write(log, record(b"meanwhile"))
                with pytest.raises(LogUnavailable):
                    await subscription.commit({place: 1})
                with pytest.raises(LogUnavailable):
                    await subscription.lag()
                assert await subscription.fetch(limit=10, wait=timedelta(milliseconds=50)) == ()
            health = log.health()
            assert (health.writable, health.accepting) == (False, False)
        finally:
            cluster.signal(node, signal.SIGCONT)
        await until(lambda: log.health().writable, what="the record that was on its way to land", seconds=60)
        await write(log, record(b"after"))
        await subscription.commit({place: 1})

    assert await everything(log, group="other", until_value=b"after") == [b"before", b"meanwhile", b"after"]


async def test_a_broker_that_dies_and_comes_back_has_all_that_was_acknowledged(cluster: Cluster, log: KafkaLog) -> None:
    [node] = cluster.nodes
    await write(log, record(b"acknowledged"))
    cluster.stop(node, hard=True)
    with pytest.raises(LogUnavailable):
        await write(log, record(b"unknown"))
    cluster.start(node)
    await asyncio.to_thread(cluster.ready)
    async with asyncio.timeout(60):
        while True:
            try:
                await write(log, record(b"last"))
                break
            except LogUnavailable:
                continue

    found = await everything(log, group="afterwards", until_value=b"last")
    assert b"acknowledged" in found
    assert b"unknown" in found
