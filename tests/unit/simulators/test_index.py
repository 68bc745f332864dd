"""The page at the root of the simulators: it leads to each of them."""

import re

import httpx

from simulators.fcm.simulator import simulator as fcm
from simulators.webpush.simulator import simulator as webpush
from tests.support.clock import ManualClock
from tocsin.runtime import simulating


async def test_the_index_names_each_simulator_and_its_links_lead_there() -> None:
    async with (
        simulating.simulating([webpush, fcm], clock=ManualClock(), port=0) as pages,
        httpx.AsyncClient(base_url=httpx.URL(pages["fcm"]).join("/")) as client,
    ):
        index = await client.get("/")
        links = re.findall(r'<a href="(\w+/)"><b>(\w+)</b><span>the (\w+) ', index.text)
        found = [await client.get(link) for link, _, _ in links]

    assert [(name, shows) for _, name, shows in links] == [("fcm", "pushes"), ("webpush", "pushes")]
    assert [each.status_code for each in found] == [200, 200]
    assert "script-src" not in index.headers["content-security-policy"]
    assert "default-src 'none'" in index.headers["content-security-policy"]
