"""A program of somebody's own on the event log: beside the gateway in its process, or in one of its own on Kafka."""

import asyncio
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.support.kafka_logs import QUICK
from tests.support.waiting import until
from tocsin.consume.stopping import Stop
from tocsin.errors import SettingsError, TopicMismatch
from tocsin.record import Partition, Record
from tocsin.runtime import backends, gateway, host, program
from tocsin.runtime.clock import SystemClock
from tocsin.runtime.discover import setting_sections
from tocsin.runtime.program import Ground
from tocsin.runtime.service import Part
from tocsin.settings.load import load
from tocsin.settings.values import Settings
from tocsin.topics import TopicSpec
from tocsin.web.health import Check

_WAIT = timedelta(milliseconds=100)
# A broker may have seen these tests before.
TOPIC = TopicSpec(name=f"tests.program.{uuid4().hex[:8]}", kind="delivery")


class Echo:
    """Fulfils `Loop`: reads its topic until stopped. `heard` is what came."""

    name = "echo"

    def __init__(self, ground: Ground, told: list[str], *, fails: bool = False) -> None:
        self.heard: list[bytes] = []
        self._ground = ground
        self._told = told
        self._fails = fails
        self._stop = Stop(ground.clock)

    async def run(self) -> None:
        """See `Loop`."""
        if self._fails:
            raise RuntimeError("a bug")
        async with self._ground.log.subscribe(
            [TOPIC.name], group="tests.program", on_assigned=_nothing, on_revoked=_nothing
        ) as subscription:
            while not self._stop.requested:
                found = await subscription.fetch(limit=10, wait=_WAIT)
                self.heard += [each.value for each in found]
        self._told.append("loop ended")

    def stop(self) -> None:
        """See `Loop`."""
        self._stop.request()


async def _nothing(_partitions: Collection[Partition]) -> None:
    pass


class Opened:
    """Fulfils `Program`. `told` is what happened, in its order."""

    def __init__(self, *, fails: bool = False) -> None:
        self.told: list[str] = []
        self.echo: Echo | None = None
        self.ground: Ground | None = None
        self._fails = fails

    @asynccontextmanager
    async def __call__(self, ground: Ground) -> AsyncIterator[Sequence[Part]]:
        await ground.log.ensure_topics([TOPIC])
        self.ground, self.echo = ground, Echo(ground, self.told, fails=self._fails)
        yield [Part(loops=[self.echo], checks={"echo": lambda: Check(ok=True, detail="listens")})]
        self.told.append("closed")

    async def hears(self, value: bytes) -> None:
        """Return once it has heard what it is told."""
        assert self.ground is not None
        await self.ground.publisher.write([Record(topic=TOPIC.name, key=b"k", value=value)])
        await until(lambda: self.echo is not None and value in self.echo.heard, what="the record")


def settings(directory: Path, **others: dict[str, Any]) -> Settings:
    overrides: dict[str, dict[str, Any]] = {"": {"data_dir": str(directory)}, "http": {"port": 0}, **others}
    return load(setting_sections(), path=None, environ={}, overrides=overrides)


async def test_a_program_beside_the_gateway_shares_its_log_and_is_checked_with_it(tmp_path: Path) -> None:
    opened = Opened()
    async with gateway.gateway(settings(tmp_path), demo=True, clock=SystemClock(), beside=[opened]) as (
        started,
        failed,
    ):
        await opened.hears(b"hello")
        async with httpx.AsyncClient(base_url=started.url) as client:
            ready = (await client.get("/readyz")).json()
        assert ready["checks"]["echo"] == {"ok": True, "detail": "listens"}
        assert not failed.is_set()

    assert opened.told == ["loop ended", "closed"]


async def test_a_program_that_fails_ends_the_gateway(tmp_path: Path) -> None:
    with pytest.raises(host.LoopFailed, match="see the log"):
        async with gateway.gateway(settings(tmp_path), demo=True, clock=SystemClock(), beside=[Opened(fails=True)]) as (
            _,
            failed,
        ):
            await asyncio.wait_for(failed.wait(), 10)


async def test_a_program_apart_needs_a_cluster(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="TOCSIN__KAFKA__BOOTSTRAP_SERVERS=host:9092"):
        async with program.running(settings(tmp_path), Opened(), version="1", clock=SystemClock()):
            raise AssertionError("it runs")


@pytest.mark.xdist_group("kafka")
async def test_a_program_apart_runs_on_kafka_once_its_topics_are_made(tmp_path: Path, kafka_bootstrap: str) -> None:
    of_kafka = settings(tmp_path, kafka={"bootstrap_servers": kafka_bootstrap.split(","), "replication": 1, **QUICK})
    opened = Opened()
    with pytest.raises(TopicMismatch, match=TOPIC.name):
        async with program.running(of_kafka, opened, version="1", clock=SystemClock()):
            raise AssertionError("it runs")

    await backends.make_topics(of_kafka, [TOPIC])
    await backends.make_topics(of_kafka, [TOPIC])
    async with program.running(of_kafka, opened, version="1", clock=SystemClock()) as failed:
        await opened.hears(b"hello")
        assert not failed.is_set()

    assert opened.told == ["loop ended", "closed"]
