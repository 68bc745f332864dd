"""The inbox of our page in a real browser, from another origin than the gateway's."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from playwright.async_api import Browser, Page, expect

from tests.chromium import pages, site
from tests.support.gateways import Gateway, running
from tests.support.ports import held_ports

pytestmark = pytest.mark.xdist_group("chromium")


class Shop:
    """A site, and the gateway behind it, which may stop and start again at its port."""

    def __init__(self, directory: Path, client: httpx.AsyncClient, url: str) -> None:
        self.url = url
        self._directory = directory
        self._client = client

    @asynccontextmanager
    async def gateway(self, *, speed: float = 1, **inbox: Any) -> AsyncIterator[Gateway]:
        """Run the gateway."""
        async with running(
            self._directory,
            speed=speed,
            http={"port": self._client.base_url.port},
            browser={"inbox": True},
            inbox={"origins": [self.url], **inbox},
        ) as gateway:
            self._client.headers["Authorization"] = f"Bearer {gateway.key}"
            yield gateway

    async def page(self, browser: Browser) -> Page:
        """Return its page, open."""
        page = await browser.new_page()
        await page.goto(self.url)
        return page


@pytest.fixture
async def shop(tmp_path: Path) -> AsyncIterator[Shop]:
    with held_ports(1) as [port]:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client, site.serving(client) as url:
            yield Shop(tmp_path, client, url)


async def submitted(gateway: Gateway, body: str, **content: Any) -> str:
    """Submit a notification for the inbox; return its id once it lies there."""
    shown = {"title": "Your parcel", "body": body, **content}
    document = {"recipient": {"id": site.RECIPIENT}, "channels": ["browser"], "content": {"browser": shown}}
    answer = await gateway.submit(document)
    await gateway.ended(answer["id"])
    return str(answer["id"])


async def test_what_comes_in_is_counted_and_what_is_read_is_told(browser: Browser, shop: Shop) -> None:
    async with shop.gateway() as gateway:
        await submitted(gateway, "before")
        page = await shop.page(browser)
        await pages.lists(page, "before")
        notification = await submitted(gateway, "while it is open")
        await pages.lists(page, "while it is open", "before")
        await expect(pages.unread(page)).to_have_text("2")
        await page.locator("tocsin-inbox .bell").click()
        await page.locator("tocsin-inbox li").first.locator("button").click()
        await expect(pages.unread(page)).to_have_text("1")
        told = await gateway.until(
            f"/v1/notifications/{notification}",
            lambda found: found["deliveries"][0]["lives"][0]["events"][-1]["type"] == "tocsin.receipt.read",
        )
        await page.reload()
        await pages.lists(page, "while it is open", "before")

        assert told["state"] == "delivered"
        assert [each["unread"] for each in await pages.listed(page)] == [False, True]


async def test_a_page_outlives_a_restart_of_the_gateway_and_misses_nothing(browser: Browser, shop: Shop) -> None:
    async with shop.gateway() as gateway:
        page = await shop.page(browser)
        await submitted(gateway, "1")
        await pages.lists(page, "1")
    async with shop.gateway() as gateway:
        await submitted(gateway, "2")
        await pages.lists(page, "2", "1")
        await submitted(gateway, "3")
        await pages.lists(page, "3", "2", "1")


async def test_a_page_gets_a_new_ticket_when_its_own_has_expired(browser: Browser, shop: Shop) -> None:
    asked: asyncio.Queue[str] = asyncio.Queue()
    async with shop.gateway(speed=30, ticket_seconds=60) as gateway:
        page = await browser.new_page()
        page.on("request", lambda request: asked.put_nowait(urlsplit(request.url).path))
        await page.goto(shop.url)
        async with asyncio.timeout(30):
            for _ in range(2):
                while await asked.get() != "/push/inbox-ticket":
                    pass
            while await asked.get() != "/v1/inbox/events":
                pass
        await submitted(gateway, "after that")
        await pages.lists(page, "after that")


async def test_what_is_shown_cannot_act_for_the_page(browser: Browser, shop: Shop) -> None:
    async with shop.gateway() as gateway:
        await submitted(gateway, "<b>bold</b>", title="<img src=x onerror=alert(1)>", url="javascript:alert(1)")
        await submitted(gateway, "elsewhere", url="https://elsewhere.example/")
        await submitted(gateway, "here", url="/parcels/7")
        page = await shop.page(browser)
        await pages.lists(page, "here", "elsewhere", "<b>bold</b>")
        await page.locator("tocsin-inbox .bell").click()
        links = await page.locator("tocsin-inbox li a").evaluate_all("all => all.map((link) => link.href)")

        assert await page.locator("tocsin-inbox li img").count() == 0
        assert links == [f"{shop.url}/parcels/7"]
