"""The shop's compose file at work: each service apart on a real Kafka and PostgreSQL, as the file says, and watched."""

import sys
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from tests.deploy import observed, peers, standing
from tests.deploy.topology import Topology

SHOP = ("customers", "inventory", "orders", "page", "payments", "shipping")
GATEWAY = ("api", "email", "sms")
RUN = (*GATEWAY, *SHOP)
FILES = [
    "compose.yaml",
    "compose.email.yaml",
    "compose.sms.yaml",
    "compose.browser.yaml",
    "compose.simulators.yaml",
    "compose.shop.yaml",
    "compose.observability.yaml",
]
GRACE = {"name": "Grace Hopper", "email": "grace@shop.example", "phone": "+4915112345678", "locale": "de"}
# What the dashboard relies on, beyond names.
COUNTED = {
    'sum(shop_orders_total{status="SHIPPED"})': "1",
    'sum(shop_events_published_total{type="ShippingConfirmed", service="shipping"})': "1",
    "sum(shop_outbox_events)": "0",
    'sum(shop_events_taken_total{result="unreadable"}) or vector(0)': "0",
    'count(up{job="shop"} == 1)': "6",
}

pytestmark = [
    pytest.mark.xdist_group("kafka"),
    pytest.mark.timeout(180),
    pytest.mark.skipif(sys.platform != "linux", reason="elsewhere 127.0.0.0/8 is not loopback as a whole"),
]


@pytest.fixture
async def topology(tmp_path: Path) -> AsyncIterator[Topology]:
    """Run the gateway and the shop."""
    tasks = ("topics", "migrate", "shop-setup")
    async with standing.standing(FILES, tasks=tasks, run=[("simulators", *GATEWAY), SHOP], folder=tmp_path) as made:
        yield made


async def test_an_order_goes_through_all_containers_and_is_told_of(topology: Topology, tmp_path: Path) -> None:
    prometheus, promtool = (peers.program(name, package="prometheus") for name in ("prometheus", "promtool"))
    async with httpx.AsyncClient(timeout=30) as client:
        await _ordered(topology, client)
        standing.map_targets(topology, tmp_path, RUN)
        listen = f"--web.listen-address={topology.address('prometheus')}:9090"
        async with topology.running("prometheus", [prometheus, listen]):
            await _watched(f"http://{topology.address('prometheus')}:9090", client)
        for name in SHOP:
            page = await client.get(f"http://{topology.address(name)}:8090/metrics")
            assert await standing.complaints(promtool, page.content) == b"", name

    for name in ("shop-setup", *SHOP):
        assert not [secret for secret in topology.secrets() if secret in topology.log(name)], name
        assert GRACE["email"] not in topology.log(name)
    # With a read-only root there would have been nowhere to write.
    assert [path for name in SHOP for path in topology.folder(name).iterdir()] == []


async def _ordered(topology: Topology, client: httpx.AsyncClient) -> None:
    """Place an order at the page's address, which hands it on, and see its mails and its text arrive."""
    shop = f"http://{topology.address('page')}:8090"
    assert "<title>" in (await client.get(f"{shop}/shop")).text
    customer = await client.post(f"{shop}/customers", json=GRACE)
    assert customer.status_code == 201, customer.text
    wanted = {"customer_id": customer.json()["id"], "items": [{"product": "book", "quantity": 2}]}
    placed = await client.post(f"{shop}/orders", json=wanted)
    assert placed.status_code == 201, placed.text
    order = placed.json()["id"]
    await standing.until(client, f"{shop}/orders/{order}", lambda found: found["status"] == "SHIPPED")
    [payment] = (await client.get(f"{shop}/payments", params={"order": order})).json()["payments"]
    assert (payment["status"], payment["amount_cents"]) == ("TAKEN", 3980)

    simulators = f"http://{topology.address('simulators')}:8190"
    mails = await standing.until(client, f"{simulators}/smtp/messages", lambda found: len(found["messages"]) == 3)
    assert {recipient for mail in mails["messages"] for recipient in mail["recipients"]} == {GRACE["email"]}
    texts = await standing.until(client, f"{simulators}/twilio/messages", lambda found: found["messages"])
    assert [text["recipient"] for text in texts["messages"]] == [GRACE["phone"]]


async def _watched(prometheus: str, client: httpx.AsyncClient) -> None:
    """See every target up, and every question of the dashboards answered."""
    await standing.scraped(client, prometheus, RUN)
    for query in observed.queries():
        answer = await client.post(f"{prometheus}/api/v1/query", data={"query": query})
        assert answer.status_code == 200, f"{query}: {answer.text}"
    for query, value in COUNTED.items():
        assert await standing.asked(client, prometheus, query) == [value], query
