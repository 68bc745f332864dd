"""The compose files at work: every service of ours, run as they say, on a real Kafka, PostgreSQL and Prometheus."""

import sys
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from tests.deploy import composing, observed, peers, standing
from tests.deploy.topology import Topology
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
    """Run everything but Prometheus."""
    async with standing.standing(
        FILES, tasks=("topics", "migrate"), run=[("simulators", *RUN)], folder=tmp_path
    ) as made:
        yield made


async def test_what_the_compose_files_say_delivers_and_is_observed(topology: Topology, tmp_path: Path) -> None:
    prometheus, promtool = (peers.program(name, package="prometheus") for name in ("prometheus", "promtool"))
    async with httpx.AsyncClient(timeout=30) as client:
        await _delivers(topology, client)
        standing.map_targets(topology, tmp_path, RUN)
        listen = f"--web.listen-address={topology.address('prometheus')}:9090"
        async with topology.running("prometheus", [prometheus, listen]):
            await _scrapes(f"http://{topology.address('prometheus')}:9090", client)
        for name in RUN:
            page = await client.get(f"http://{topology.address(name)}:8080/metrics")
            assert await standing.complaints(promtool, page.content) == b""

    for name in ("topics", "migrate", "simulators", *RUN, "prometheus"):
        assert not [secret for secret in topology.secrets() if secret in topology.log(name)], name
    # With a read-only root there would have been nowhere to write.
    assert [path for name in (*RUN, "simulators") for path in topology.folder(name).iterdir()] == []


async def _delivers(topology: Topology, client: httpx.AsyncClient) -> None:
    """Submit a notification, and see its mail and its text arrive, and that the text's provider calls back."""
    api = f"http://{topology.address('api')}:8080/v1/notifications"
    client.headers["Authorization"] = f"Bearer {topology.secret('bootstrap-key')}"
    accepted = await client.post(api, json=NOTIFICATION)
    assert accepted.status_code == 202, accepted.text
    told = f"{api}/{accepted.json()['id']}"
    await standing.until(client, told, lambda found: found.get("state") == "delivered")
    await standing.until(client, told, lambda found: Event.RECEIPT_CONFIRMED in str(found))

    mails = await client.get(f"http://{topology.address('simulators')}:8190/smtp/messages")
    [mail] = mails.json()["messages"]
    assert mail["recipients"] == ["ada@example.test"]
    assert mail["mail_from"] in composing.example()["TOCSIN__EMAIL__SENDER"]
    texts = await client.get(f"http://{topology.address('simulators')}:8190/twilio/messages")
    assert len(texts.json()["messages"]) == 1


async def _scrapes(prometheus: str, client: httpx.AsyncClient) -> None:
    """See every target up, and every question of the dashboard and the alerts answered."""

    await standing.scraped(client, prometheus, RUN)
    for query in observed.queries():
        answer = await client.post(f"{prometheus}/api/v1/query", data={"query": query})
        assert answer.status_code == 200, f"{query}: {answer.text}"
    for query, value in COUNTED.items():
        assert await standing.asked(client, prometheus, query) == [value], query
    rules = (await client.get(f"{prometheus}/api/v1/rules")).json()["data"]["groups"]
    assert sum(len(group["rules"]) for group in rules) == len(observed.alerts())
