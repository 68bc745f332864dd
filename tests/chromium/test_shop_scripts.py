"""The scripts of the shop's page in a real browser, on the page's service alone: what they make of what they hear."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, Route, expect
from playwright.async_api import Page as Tab

from examples.shop.kit import events
from tests.shop import pages, told
from tests.shop.pages import NOON, Page, joined, notification
from tocsin.lifecycle import Event
from tocsin.record import Record

pytestmark = pytest.mark.xdist_group("chromium")

ADA = {"customer_id": "cus-Ada"}


@pytest.fixture
async def shop(tmp_path: Path) -> AsyncIterator[Page]:
    async with pages.running(tmp_path) as page:
        yield page


async def opened(browser: Browser, shop: Page) -> Tab:
    """Return the page once it is live. Nobody else is there: it says that it has no products."""
    tab = await browser.new_page()
    await tab.goto(f"{shop.client.base_url}/shop")
    await expect(tab.locator("#state")).to_have_text("Live")
    return tab


def ordered(kind: str) -> Record:
    """Return an event of an order."""
    found = told.event(kind)
    event = events.Event(
        id=found["id"], type=kind, source=found["source"], subject="order-1", time=NOON, data=found["data"]
    )
    return events.record(event, topic="shop.orders")


async def test_a_delivery_that_is_replayed_stands_where_its_new_life_does(browser: Browser, shop: Page) -> None:
    tab = await opened(browser, shop)
    notice = tab.locator(".notice small")
    await shop.happened(joined("Ada"), *notification(1, Event.ATTEMPTED, Event.ATTEMPTED, Event.DEAD, metadata=ADA))
    await expect(notice).to_have_text("mail · dead")
    await shop.happened(*notification(1, Event.REPLAYED, metadata=ADA, life=1))
    await expect(notice).to_have_text("mail · accepted")
    await shop.happened(*notification(1, Event.ATTEMPTED, Event.DELIVERED, metadata=ADA, life=1))

    await expect(notice).to_have_text("mail · delivered")


async def test_the_answer_for_a_message_that_was_closed_is_not_shown_in_anothers_place(
    browser: Browser, shop: Page
) -> None:
    tab = await opened(browser, shop)
    release = asyncio.Event()
    asked: list[str] = []

    async def answer(route: Route) -> None:
        asked.append(route.request.url)
        first = asked[0] == route.request.url
        if first:
            await release.wait()
        text = "the first" if first else "the second"
        await route.fulfill(json={"channel": "sms", "to": "+49", "text": text, "subject": None, "html": False})

    await tab.route("**/shop/messages/*", answer)
    for number in (1, 2):
        await shop.happened(*notification(number, Event.DELIVERED, metadata=ADA))
    await shop.happened(joined("Ada"))
    await expect(tab.locator(".notice.delivered")).to_have_count(2)
    await tab.locator(".notice").first.click()
    await expect(tab.locator("#message-body")).to_have_text("Loading…")
    await tab.keyboard.press("Escape")
    await tab.locator(".notice").last.click()
    await expect(tab.locator(".bubble")).to_have_text("the second")
    async with tab.expect_response(lambda response: response.url == asked[0]):
        release.set()
    # The script has had its turn at the answer once the page answers us.
    await tab.evaluate("() => new Promise((resolve) => setTimeout(resolve))")

    assert await tab.locator(".bubble").text_content() == "the second"


async def test_what_is_selected_of_a_card_stays_selected_when_more_happens(browser: Browser, shop: Page) -> None:
    tab = await opened(browser, shop)
    await shop.happened(ordered("OrderPlaced"))
    card = tab.locator(".card.order")
    await card.locator(".about code").select_text()
    await shop.happened(ordered("PaymentConfirmed"))
    await expect(card).to_have_attribute("data-status", "PAID")

    assert await tab.evaluate("() => getSelection().toString()") == "order-1"


async def test_who_is_created_is_who_orders_and_a_phone_number_may_be_written_as_people_do(
    browser: Browser, shop: Page
) -> None:
    tab = await opened(browser, shop)
    taken: list[Any] = []

    async def create(route: Route) -> None:
        taken.append(route.request.post_data_json)
        await route.fulfill(status=201, json={"id": "cus-1"})

    await tab.route("**/customers", create)
    phone = tab.get_by_label("Phone")
    await phone.fill("")
    await phone.press_sequentially("+49 (151) 123-456-78")
    await tab.get_by_role("button", name="Create customer").click()
    await expect(tab.get_by_label("Customer", exact=True)).to_have_value("cus-1")
    await expect(tab.get_by_label("Customer", exact=True)).to_be_focused()

    assert [each["phone"] for each in taken] == ["+4915112345678"]
    assert await tab.locator("#newcomer").is_hidden()
