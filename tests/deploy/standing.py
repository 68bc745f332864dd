"""The compose files at work: containers as processes until a test is done with them, and what Prometheus sees."""

import asyncio
import subprocess
from collections.abc import AsyncIterator, Callable, Collection, Coroutine, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import yaml

from tests.deploy import composing, observed, peers
from tests.deploy.topology import Topology, running_kafka, running_postgres
from tests.support import kafka_jars


@asynccontextmanager
async def standing(
    files: Sequence[str], *, tasks: Collection[str], run: Sequence[Collection[str]], folder: Path
) -> AsyncIterator[Topology]:
    """Run these services of some files on a real Kafka and PostgreSQL: tasks to their end, then `run` until healthy.

    What is in `run` is started side by side, one collection after the other: a test's machine is small.
    """
    if reason := kafka_jars.missing():
        peers.absent(reason)
    made = Topology(composing.load(files, composing.example()), folder)
    async with AsyncExitStack() as stack:
        await _together(
            stack.enter_async_context(running_kafka(made)), stack.enter_async_context(running_postgres(made))
        )
        await _together(*(made.completed(name) for name in tasks))
        for names in run:
            await _together(*(stack.enter_async_context(made.running(name)) for name in names))
        yield made


async def until(client: httpx.AsyncClient, url: str, holds: Callable[[Any], bool]) -> Any:
    """Return what a URL answers, once that is as it should be."""
    said = ""
    try:
        async with asyncio.timeout(60):
            while True:
                answer = await client.get(url)
                said = answer.text
                if answer.status_code == 200 and holds(answer.json()):
                    return answer.json()
                await asyncio.sleep(0.1)
    except TimeoutError:
        raise AssertionError(f"{url}: {said}") from None


async def scraped(client: httpx.AsyncClient, prometheus: str, run: Collection[str]) -> None:
    """Return once Prometheus sees each of these services up, and no other."""

    def up(found: Mapping[str, Any]) -> bool:
        targets = found["data"]["activeTargets"]
        return {target["labels"].get("service") for target in targets} == {*run, None} and all(
            target["health"] == "up" for target in targets
        )

    await until(client, f"{prometheus}/api/v1/targets", up)


async def asked(client: httpx.AsyncClient, prometheus: str, query: str) -> list[str]:
    """Return the values that Prometheus answers a query with."""
    answer = await client.post(f"{prometheus}/api/v1/query", data={"query": query})
    return [each["value"][1] for each in answer.json()["data"]["result"]]


async def complaints(promtool: str, metrics: bytes) -> bytes:
    """Return what there is to be said against a /metrics page."""
    command = [promtool, "check", "metrics"]
    checking = await asyncio.create_subprocess_exec(*command, stdin=subprocess.PIPE, stderr=subprocess.PIPE)
    _, said = await checking.communicate(metrics)
    return said


def map_targets(topology: Topology, folder: Path, run: Collection[str]) -> None:
    """Give Prometheus its configuration with addresses in place of names that only Docker's DNS knows."""
    config = yaml.safe_load(topology.mapped("prometheus", observed.PROMETHEUS.read_text(encoding="utf-8")))
    config["global"] |= {"scrape_interval": "1s", "evaluation_interval": "1s"}
    for job in config["scrape_configs"]:
        for found in job.pop("dns_sd_configs", []):
            job["static_configs"] = [
                {"targets": [f"{topology.address(name)}:{found['port']}"], "labels": {"__meta_dns_name": name}}
                for name in found["names"]
                if name in run
            ]
    (folder / "mapped").mkdir()
    (folder / "mapped" / "prometheus.yml").write_text(yaml.safe_dump(config))
    (folder / "mapped" / "alerts.yml").write_bytes(observed.ALERTS.read_bytes())
    topology.replace("prometheus", "/etc/prometheus", folder / "mapped")


async def _together(*starting: Coroutine[Any, Any, Any]) -> None:
    """Do some things side by side; if one fails, the others are broken off."""
    async with asyncio.TaskGroup() as group:
        for each in starting:
            group.create_task(each)
