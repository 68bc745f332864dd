"""Our service worker in a real browser. No push service is reached: DevTools hands over what the gateway had sent."""

import json
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from playwright.async_api import Browser

from simulators.webpush.simulator import PUBLISHED_KEY, simulator
from tests.chromium import pages, site
from tests.support.gateways import running
from tocsin.runtime.clock import SystemClock
from tocsin.runtime.simulating import simulating

pytestmark = pytest.mark.xdist_group("chromium")

CONTENT = {"title": "Your parcel", "body": "It comes today — före kl. 12", "url": "/parcels/7", "data": {"parcel": 7}}


async def pushed(directory: Path) -> str:
    """Return what a browser decrypts of a push that the whole gateway has sent."""
    async with simulating([simulator], clock=SystemClock(), port=0) as at:
        url = at["webpush"]
        browser = {"private_endpoints": [urlsplit(url).netloc]}
        webpush = {"vapid_key": PUBLISHED_KEY, "subject": "mailto:push@example.com"}
        async with (
            running(directory, browser=browser, webpush=webpush) as gateway,
            httpx.AsyncClient(base_url=url) as service,
        ):
            subscription = (await service.post("subscriptions", json={})).json()
            document = {"recipient": {"browser": [subscription]}, "channels": ["browser"]}
            answer = await gateway.submit({**document, "content": {"browser": CONTENT}})
            await gateway.ended(answer["id"])
            [message] = (await service.get("messages")).json()["messages"]
            return json.dumps(message["payload"])


async def test_what_the_gateway_pushes_is_shown_and_a_second_copy_takes_its_place(
    browser: Browser, tmp_path: Path
) -> None:
    text = await pushed(tmp_path)
    async with httpx.AsyncClient() as nobody, site.serving(nobody) as url:
        worker = await pages.registered(browser, url)
        shown = await worker.first(text)
        await worker.push(text)
        await worker.push(json.dumps({"id": "ntf_other", "title": "Another", "body": ""}))
        both = await worker.shown(2)

    assert (shown["title"], shown["body"]) == (CONTENT["title"], CONTENT["body"])
    assert shown["data"] == {"id": shown["tag"], "url": "/parcels/7", "parcel": 7}
    assert sorted(each["title"] for each in both) == ["Another", "Your parcel"]


async def test_a_push_that_cannot_be_read_shows_something_all_the_same(browser: Browser) -> None:
    async with httpx.AsyncClient() as nobody, site.serving(nobody) as url:
        worker = await pages.registered(browser, url)
        shown = await worker.first("no JSON")

    assert (shown["title"], shown["body"]) == (urlsplit(url).netloc, "")
