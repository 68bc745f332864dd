"""The compose files at work: every service of ours, run as they say, on a real Kafka, PostgreSQL and Prometheus."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from tests.deploy import composing, observed, peers
from tests.deploy.topology import Topology, running_kafka, running_postgres
from tests.support import kafka_jars
from tocsin.lifecycle import Event

CHANNELS = ("email", "sms", "browser")
FILES = [
    "compose.yaml",
    *(f"compose.{channel}.yaml" for channel in CHANNELS),
    "compose.simulators.yaml",
    "compose.observability.yaml",
]
# Of the services that Prometheus looks for, those that are run here.
RUN = ("api", *CHANNELS)
NOTIFICATION = {
    "recipient": {"email": "ada@example.test", "phone": "+12025550143", "locale": "de"},
    "channels": ["email", "sms"],
    "template": "welcome",
    "data": {"name": "Ada"},
}
# What the alerts and the dashboard rely on, beyond names.
COUNTED = {
    'sum(tocsin_deliveries_total{channel="email", state="delivered"})': "1",
    'sum(tocsin_deliveries_total{channel="sms", state="delivered"})': "1",
    'sum(tocsin_submissions_total{result="accepted"})': "1",
    'sum(tocsin_http_request_seconds_count{route="/v1/notifications"})': "1",
    'count(sum by (service) (tocsin_http_requests_total{route="/readyz", status="200"}) > 0)': "4",
    "count(tocsin_log_writable == 1)": "4",
    "sum(tocsin_route_state)": "4",
    "max(tocsin_overdue_deliveries)": "0",
}

pytestmark = [
    pytest.mark.xdist_group("kafka"),
    pytest.mark.timeout(180),
    pytest.mark.skipif(sys.platform != "linux", reason="elsewhere 127.0.0.0/8 is not loopback as a whole"),
]


@pytest.fixture
async def topology(tmp_path: Path) -> AsyncIterator[Topology]:
    """Run everything but Prometheus: one-shot services to their end, the others until they are healthy."""
    if reason := kafka_jars.missing():
        peers.absent(reason)
    made = Topology(composing.load(FILES, composing.example()), tmp_path)
    async with AsyncExitStack() as stack:
        await _together(
            stack.enter_async_context(running_kafka(made)), stack.enter_async_context(running_postgres(made))
        )
        await _together(made.completed("topics"), made.completed("migrate"))
        await _together(*(stack.enter_async_context(made.running(name)) for name in ("simulators", *RUN)))
        yield made


async def test_what_the_compose_files_say_delivers_and_is_observed(topology: Topology, tmp_path: Path) -> None:
    prometheus, promtool = (peers.program(name, package="prometheus") for name in ("prometheus", "promtool"))
    async with httpx.AsyncClient(timeout=30) as client:
        await _delivers(topology, client)
        _map_targets(topology, tmp_path)
        listen = f"--web.listen-address={topology.address('prometheus')}:9090"
        async with topology.running("prometheus", [prometheus, listen]):
            await _scrapes(f"http://{topology.address('prometheus')}:9090", client)
        for name in RUN:
            page = await client.get(f"http://{topology.address(name)}:8080/metrics")
            assert await _complaints(promtool, page.content) == b""

    for name in ("topics", "migrate", "simulators", *RUN, "prometheus"):
        assert not [secret for secret in topology.secrets() if secret in topology.log(name)], name
    # With a read-only root there would have been nowhere to write.
    assert [path for name in (*RUN, "simulators") for path in topology.folder(name).iterdir()] == []


async def _together(*starting: Coroutine[Any, Any, Any]) -> None:
    """Do some things side by side; if one fails, the others are broken off."""
    async with asyncio.TaskGroup() as group:
        for each in starting:
            group.create_task(each)


async def _delivers(topology: Topology, client: httpx.AsyncClient) -> None:
    """Submit a notification, and see its mail and its text arrive, and that the text's provider calls back."""
    api = f"http://{topology.address('api')}:8080/v1/notifications"
    client.headers["Authorization"] = f"Bearer {topology.secret('bootstrap-key')}"
    accepted = await client.post(api, json=NOTIFICATION)
    assert accepted.status_code == 202, accepted.text
    told = f"{api}/{accepted.json()['id']}"
    await _until(client, told, lambda found: found.get("state") == "delivered")
    await _until(client, told, lambda found: Event.RECEIPT_CONFIRMED in str(found))

    mails = await client.get(f"http://{topology.address('simulators')}:8190/smtp/messages")
    [mail] = mails.json()["messages"]
    assert mail["recipients"] == ["ada@example.test"]
    assert mail["mail_from"] in composing.example()["TOCSIN__EMAIL__SENDER"]
    texts = await client.get(f"http://{topology.address('simulators')}:8190/twilio/messages")
    assert len(texts.json()["messages"]) == 1


async def _scrapes(prometheus: str, client: httpx.AsyncClient) -> None:
    """See every target up, and every question of the dashboard and the alerts answered."""

    def up(found: Mapping[str, Any]) -> bool:
        targets = found["data"]["activeTargets"]
        return {target["labels"].get("service") for target in targets} == {*RUN, None} and all(
            target["health"] == "up" for target in targets
        )

    await _until(client, f"{prometheus}/api/v1/targets", up)
    for query in observed.queries():
        answer = await client.post(f"{prometheus}/api/v1/query", data={"query": query})
        assert answer.status_code == 200, f"{query}: {answer.text}"
    for query, value in COUNTED.items():
        counted = await client.post(f"{prometheus}/api/v1/query", data={"query": query})
        assert [each["value"][1] for each in counted.json()["data"]["result"]] == [value], query
    rules = (await client.get(f"{prometheus}/api/v1/rules")).json()["data"]["groups"]
    assert sum(len(group["rules"]) for group in rules) == len(observed.alerts())


async def _complaints(promtool: str, metrics: bytes) -> bytes:
    """Return what there is to be said against a /metrics page."""
    command = [promtool, "check", "metrics"]
    checking = await asyncio.create_subprocess_exec(*command, stdin=subprocess.PIPE, stderr=subprocess.PIPE)
    _, said = await checking.communicate(metrics)
    return said


def _map_targets(topology: Topology, folder: Path) -> None:
    """Give Prometheus its configuration with addresses in place of names that only Docker's DNS knows."""
    config = yaml.safe_load(topology.mapped("prometheus", observed.PROMETHEUS.read_text(encoding="utf-8")))
    config["global"] |= {"scrape_interval": "1s", "evaluation_interval": "1s"}
    for job in config["scrape_configs"]:
        for found in job.pop("dns_sd_configs", []):
            job["static_configs"] = [
                {"targets": [f"{topology.address(name)}:{found['port']}"], "labels": {"__meta_dns_name": name}}
                for name in found["names"]
                if name in RUN
            ]
    (folder / "mapped").mkdir()
    (folder / "mapped" / "prometheus.yml").write_text(yaml.safe_dump(config))
    (folder / "mapped" / "alerts.yml").write_bytes(observed.ALERTS.read_bytes())
    topology.replace("prometheus", "/etc/prometheus", folder / "mapped")


async def _until(client: httpx.AsyncClient, url: str, holds: Callable[[Any], bool]) -> None:
    """Return once what a URL answers is as it should be."""
    said = ""
    try:
        async with asyncio.timeout(30):
            while True:
                answer = await client.get(url)
                said = answer.text
                if answer.status_code == 200 and holds(answer.json()):
                    return
                await asyncio.sleep(0.1)
    except TimeoutError:
        raise AssertionError(f"{url}: {said}") from None
