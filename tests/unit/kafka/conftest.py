"""Subscriptions and producers on a cluster that does what the test says."""

from collections.abc import AsyncIterator

import pytest

from tests.unit.kafka.fakes import Cluster, Stage
from tocsin.eventlog.kafka.subscription import KafkaSubscription


@pytest.fixture
async def stage() -> Stage:
    return Stage()


@pytest.fixture
def cluster(stage: Stage) -> Cluster:
    return stage.cluster


@pytest.fixture
async def subscription(stage: Stage) -> AsyncIterator[KafkaSubscription]:
    """Return an open subscription to both partitions."""
    opened = stage.subscription()
    await opened.open()
    yield opened
    await opened.close()
