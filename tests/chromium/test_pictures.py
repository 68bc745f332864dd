"""What people see: our page with its inbox, mails, and a simulator's page. The pictures lie in the test's folder."""

from email import message_from_bytes, policy
from pathlib import Path

import httpx
import pytest
from playwright.async_api import Browser

from simulators.webpush.simulator import PUBLISHED_KEY, simulator
from tests.chromium import pages, site
from tests.chromium.pictures import looks
from tests.support.gateways import NOTIFICATION, running
from tocsin.runtime.clock import SystemClock
from tocsin.runtime.simulating import simulating

pytestmark = pytest.mark.xdist_group("chromium")

MESSAGES = [
    {"title": "Your parcel is on its way", "body": "It comes today, between 10 and 12.", "url": "/parcels/7"},
    {"title": "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft", "body": ""},
    {"title": "A long link", "body": "https://example.test/" + "that/does/not/break/anywhere/" * 4},
    {"title": "A sign-in from a new device", "body": "Firefox on Linux, near Berlin.\nWas that you?"},
]


async def test_the_page_with_its_inbox(browser: Browser, tmp_path: Path) -> None:
    async with httpx.AsyncClient() as client, site.serving(client) as url:
        inbox = {"origins": [url]}
        async with running(tmp_path / "data", browser={"inbox": True}, inbox=inbox) as gateway:
            client.base_url = gateway.client.base_url
            client.headers.update(gateway.client.headers)
            for shown in MESSAGES:
                document = {"recipient": {"id": site.RECIPIENT}, "channels": ["browser"]}
                answer = await gateway.submit({**document, "content": {"browser": shown}})
                await gateway.ended(answer["id"])
            async for look in looks(browser):
                await look.page.goto(url)
                await pages.lists(look.page, *(shown["body"] for shown in reversed(MESSAGES)))
                await look.picture(tmp_path, "page")
                await look.page.locator("tocsin-inbox .bell").click()
                await look.picture(tmp_path, "inbox")


@pytest.mark.parametrize("template", ["order-confirmation", "welcome"])
async def test_a_mail(browser: Browser, tmp_path: Path, template: str) -> None:
    items = [{"name": "keyboard, mechanical, with a very long description of what it is", "quantity": 1}]
    data = {"order": "1001", "items": items} if template == "order-confirmation" else {"name": "Ada"}
    async with running(tmp_path / "data") as gateway:
        answer = await gateway.submit({**NOTIFICATION, "template": template, "data": data})
        await gateway.ended(answer["id"])
        [mail] = gateway.mailbox.newest()
        html = message_from_bytes(mail.raw, policy=policy.default).get_body(("html",))
        assert html is not None
        async for look in looks(browser):
            await look.page.set_content(html.get_content())
            await look.picture(tmp_path, template)


async def test_the_push_simulators_page(browser: Browser, tmp_path: Path) -> None:
    async with simulating([simulator], clock=SystemClock(), port=0) as at:
        url = at["webpush"]
        webpush = {"vapid_key": PUBLISHED_KEY, "subject": "mailto:push@example.com"}
        endpoints = {"private_endpoints": [httpx.URL(url).netloc.decode()]}
        async with (
            running(tmp_path / "data", browser=endpoints, webpush=webpush) as gateway,
            httpx.AsyncClient(base_url=url) as service,
        ):
            for shown in MESSAGES:
                subscription = (await service.post("subscriptions", json={})).json()
                document = {"recipient": {"browser": [subscription]}, "channels": ["browser"]}
                answer = await gateway.submit({**document, "content": {"browser": shown}})
                await gateway.ended(answer["id"])
            async for look in looks(browser):
                await look.page.goto(url)
                await look.picture(tmp_path, "webpush")
