"""The shop's page in a real browser, on the whole: shop, gateway, rules and simulators."""

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, Locator, Page, Response, expect

from examples.shop.kit import events
from tests.chromium.pictures import looks
from tests.shop import told, whole
from tests.shop.whole import ShopAtWork

pytestmark = pytest.mark.xdist_group("chromium")

HOSTILE = "<img src=x onerror=\"document.title='taken'\"> Donaudampfschifffahrtselektrizitätenhauptbetriebswerk"


@dataclass(frozen=True, slots=True, kw_only=True)
class Branch:
    """A way that an order goes: its scenario, and what the page shows at its end."""

    scenario: str
    status: str
    steps: str
    notices: tuple[str, ...]
    why: str = ""


RECEIVED = "Order received (mail)"
BRANCHES = (
    Branch(
        scenario="well",
        status="SHIPPED",
        steps="Placed done, Paid done, Reserved done, Shipped done",
        notices=(RECEIVED, "On its way (mail)", "On its way (text)"),
    ),
    Branch(
        scenario="refused",
        status="CANCELLED",
        steps="Placed done, Refused failed, Reserved not done, Shipped not done",
        notices=(RECEIVED, "Payment refused (mail)"),
        why="Cancelled: payment refused.",
    ),
    Branch(
        scenario="stock",
        status="CANCELLED",
        steps="Placed done, Refunded undone, Sold out failed, Shipped not done",
        notices=(RECEIVED, "Sold out (mail)", "Cancelled (mail)"),
        why="Cancelled: out of stock. €999.00 refunded.",
    ),
    Branch(
        scenario="shipping",
        status="CANCELLED",
        steps="Placed done, Refunded undone, Released undone, Failed failed",
        notices=(RECEIVED, "Cancelled (mail)"),
        why="Cancelled: shipping failed. €19.90 refunded, the stock is released.",
    ),
    Branch(
        scenario="cancel",
        status="CANCELLED",
        steps="Placed done, Refunded undone, Released undone, Shipped not done",
        notices=(RECEIVED, "Cancelled (mail)"),
        why="Cancelled: at the customer's wish. €129.00 refunded, the stock is released.",
    ),
)


@pytest.fixture
async def shop(tmp_path: Path) -> AsyncIterator[ShopAtWork]:
    async with whole.opened(tmp_path / "data") as opened:
        yield opened


async def arrived(page: Page, shop: ShopAtWork) -> Page:
    """Return the page once it is live. Whatever goes wrong in its scripts fails the test."""
    await page.goto(f"{shop.url}/shop")
    await expect(page.locator("#state")).to_have_text("Live")
    return page


async def played(page: Page, branch: Branch) -> Locator:
    """Click a scenario; return the card of its order once all of it has happened."""
    before = await page.locator(".card.order").count()
    await page.locator(f"[data-scenario={branch.scenario}]").click()
    await expect(page.locator(".card.order")).to_have_count(before + 1)
    card = page.locator(".card.order").first
    await expect(card).to_have_attribute("data-status", branch.status)
    await expect(card.locator(".notice.delivered")).to_have_count(len(branch.notices))
    return card


async def steps(card: Locator) -> str:
    """Return the steps of a card as a screen reader says them."""
    return ", ".join([name.replace(", ", " ") for name in await card.locator(".step .name").all_text_contents()])


async def notices(card: Locator) -> list[str]:
    """Return the notifications of a card."""
    found = await card.locator(".notice").evaluate_all(
        "all => all.map((each) => [each.querySelector('b').textContent, each.querySelector('small').textContent])"
    )
    return [f"{title} ({standing.partition(' ')[0]})" for title, standing in found]


async def test_orders_are_followed_to_their_ends_and_so_is_what_their_customers_are_told(
    browser: Browser, shop: ShopAtWork
) -> None:
    page = await arrived(await browser.new_page(), shop)
    for branch in BRANCHES:
        card = await played(page, branch)
        await expect(card.locator(".why")).to_have_text(branch.why)
        ordered = await shop.client.get(f"/orders/{await card.get_attribute('data-id')}")

        assert await steps(card) == branch.steps
        # Mails and texts go by themselves: their order is nobody's.
        assert sorted(await notices(card)) == sorted(branch.notices)
        assert await card.locator(".cancel").is_hidden()
        assert ordered.json()["status"] == branch.status
    await expect(page.locator(".card.customer .notice.delivered")).to_have_count(2)

    mails = [notice for branch in BRANCHES for notice in branch.notices if "(mail)" in notice]
    assert shop.mailbox.total == len(mails) + 2


async def test_a_message_is_read_as_its_customer_got_it(browser: Browser, shop: ShopAtWork) -> None:
    page = await arrived(await browser.new_page(), shop)
    await page.get_by_label("Language").select_option("de")
    card = await played(page, BRANCHES[0])
    mail = card.locator(".notice", has_text="Order received")
    await mail.click()
    await expect(page.locator("#message-title")).to_have_text("Vielen Dank für Ihre Bestellung")
    await expect(page.frame_locator("#message iframe").locator("h1")).to_contain_text("Vielen Dank")
    await page.keyboard.press("Escape")
    await expect(page.locator("#message")).to_be_hidden()
    await expect(mail).to_be_focused()
    await card.locator(".notice[data-channel=sms]").click()

    await expect(page.locator("#message .bubble")).to_have_text(
        re.compile("Tocsin-Shop: Ihre Bestellung ist unterwegs")
    )


async def test_all_of_it_works_from_the_keyboard(browser: Browser, shop: ShopAtWork) -> None:
    page = await arrived(await browser.new_page(), shop)
    await page.locator("#who").focus()
    await pressed_until(page, "Tab", "[data-scenario=refused]")
    await page.keyboard.press("Enter")
    card = page.locator(".card.order")
    await expect(card).to_have_attribute("data-status", "CANCELLED")
    await expect(card.locator(".notice.delivered")).to_have_count(2)
    await pressed_until(page, "Tab", ".notice")
    await page.keyboard.press("Enter")
    await expect(page.locator("#message")).to_be_visible()
    await pressed_until(page, "Tab", "#message-close")
    await page.keyboard.press("Enter")

    await expect(page.locator("#message")).to_be_hidden()
    await expect(page.locator("#announced")).to_have_text("1 × Trap for Ada Lovelace: cancelled, payment refused")


async def pressed_until(page: Page, key: str, selector: str) -> None:
    """Press a key until the focus is on such an element."""
    for _ in range(60):
        if await page.evaluate("(selector) => document.activeElement.matches(selector)", selector):
            return
        await page.keyboard.press(key)
    raise AssertionError(f"{selector} cannot be reached")


async def test_an_order_of_ones_own_and_what_the_shop_says_against_it(browser: Browser, shop: ShopAtWork) -> None:
    page = await arrived(await browser.new_page(), shop)
    await page.get_by_label("Phone").fill("12")
    await page.get_by_role("button", name="One more: Lamp").click()
    await page.get_by_role("button", name="One more: Lamp").click()
    await page.get_by_role("button", name="Place order · €98.00").click()
    await expect(page.get_by_role("alert")).to_contain_text("phone number")
    await page.get_by_label("Phone").fill("")
    await page.get_by_role("button", name="Place order · €98.00").click()
    card = page.locator(".card.order")
    await expect(card.locator("h3")).to_have_text("2 × Lamp")
    await expect(card).to_have_attribute("data-status", "SHIPPED")
    await expect(card.locator(".notice.delivered")).to_have_count(2)

    # Without a phone there is no text.
    assert sorted(await notices(card)) == ["On its way (mail)", RECEIVED]
    assert await page.get_by_role("alert").text_content() == ""


async def test_without_payment_and_on_a_single_topic_an_order_goes_straight_to_the_stock(
    browser: Browser, tmp_path: Path
) -> None:
    async with whole.opened(tmp_path, payments=False, topic="shop.events") as shop:
        page = await arrived(await browser.new_page(), shop)
        card = await played(page, replace(BRANCHES[2], notices=(RECEIVED, "Sold out (mail)")))

        assert await steps(card) == "Placed done, Sold out failed, Shipped not done"
        assert sorted(await notices(card)) == [RECEIVED, "Sold out (mail)"]


async def test_a_page_outlives_a_restart_of_the_shop_and_misses_nothing(browser: Browser, tmp_path: Path) -> None:
    page = await browser.new_page()
    async with whole.opened(tmp_path) as shop:
        await arrived(page, shop)
        first = await played(page, BRANCHES[1])
        known = await first.get_attribute("data-id")
    await expect(page.locator("#state")).to_have_text("Reconnecting…")
    async with whole.opened(tmp_path, port=int(shop.url.rpartition(":")[2])) as again:
        answer = await again.client.get("/customers")
        customer = answer.json()["customers"][0]["id"]
        placed = await again.client.post(
            "/orders", json={"customer_id": customer, "items": [{"product": "trap", "quantity": 2}]}
        )
        assert placed.status_code == 201
        await expect(page.locator(".card.order h3")).to_have_text(["2 × Trap", "1 × Trap"])
        await page.reload()
        await expect(page.locator(".card.order h3")).to_have_text(["2 × Trap", "1 × Trap"])

    assert known == await page.locator(".card.order").last.get_attribute("data-id")


async def test_what_is_shown_cannot_act_for_the_page_and_the_gateways_key_never_reaches_it(
    browser: Browser, shop: ShopAtWork
) -> None:
    page = await browser.new_page()
    answers: list[Response] = []
    page.on("response", lambda answer: answers.append(answer))  # noqa: PLW0108 - a bound builtin cannot be one
    await arrived(page, shop)
    await page.get_by_label("Name").fill(HOSTILE)
    card = await played(page, BRANCHES[1])
    await card.locator(".notice").first.click()
    await expect(page.frame_locator("#message iframe").locator("h1")).to_contain_text("<img src=x")
    read = [await each.body() for each in answers if "/shop/events" not in each.url]
    feed = await feed_of(shop)

    assert await page.title() == "Tocsin shop"
    assert await page.locator("main img").count() == 0
    assert "script-src 'self'" in answers[0].headers["content-security-policy"]
    key = shop.gateway.headers["Authorization"].removeprefix("Bearer ").encode()
    assert len(read) > 8
    assert not any(key in body for body in [*read, feed])


async def feed_of(shop: ShopAtWork) -> bytes:
    """Return all that the feed tells of what has happened."""
    read = b""
    async with asyncio.timeout(30), shop.client.stream("GET", "/shop/events") as answer:
        async for chunk in answer.aiter_bytes():
            read += chunk
            if b"event: live" in read:
                break
    assert read.count(b'"kind":') > 5
    return read


async def test_the_page(browser: Browser, shop: ShopAtWork, tmp_path: Path) -> None:
    page = await arrived(await browser.new_page(), shop)
    complaints: list[Any] = []
    page.on("pageerror", lambda error: complaints.append(error))  # noqa: PLW0108 - a bound builtin cannot be one
    for branch in BRANCHES:
        await played(page, branch)
    details = {"name": HOSTILE[:100], "email": f"{'long' * 16}@{'address.' * 12}example", "locale": "de"}
    joined = await shop.client.post("/customers", json=details)
    assert joined.status_code == 201, joined.text
    await expect(page.locator(".card.customer")).to_have_count(3)
    async for look in looks(browser):
        await arrived(look.page, shop)
        await expect(look.page.locator(".card")).to_have_count(len(BRANCHES) + 3)
        await expect(look.page.locator("[data-scenario]").first).to_be_visible()
        await look.picture(tmp_path, "shop")
        cards = look.page.locator(".card.order")
        await cards.nth(1).locator("footer summary").first.click()
        await cards.nth(1).locator(".events summary").first.click()
        await cards.nth(1).scroll_into_view_if_needed()
        await look.picture(tmp_path, "shop-events")
        await look.page.screenshot(path=tmp_path / f"shop-whole-{look.scheme}-{look.width}.png", full_page=True)
        await cards.last.locator(".notice[data-channel=sms]").click()
        await expect(look.page.locator("#message .bubble")).to_be_visible()
        await look.picture(tmp_path, "shop-text")
        await look.page.locator("#message-close").click()
        await cards.first.locator(".notice").first.click()
        await expect(look.page.frame_locator("#message iframe").locator("h1")).to_be_visible()
        await look.picture(tmp_path, "shop-mail")

    assert complaints == []


@pytest.mark.parametrize("locale", ["en", "de"])
async def test_the_mails(browser: Browser, tmp_path: Path, locale: str) -> None:
    rules = told.rules()
    customer = {"name": "Ada Augusta King-Noel, Countess of Lovelace", "locale": locale}
    mails = {
        rule.notification["template"]: message.parts["email.html"]
        for kind in events.TYPES
        for rule in told.made(rules, told.event(kind, customer=customer))
        for message in rule.messages
        if message.channel == "email"
    }
    async for look in looks(browser):
        for template, html in mails.items():
            await look.page.set_content(html)
            await look.picture(tmp_path, f"{template}-{locale}")

    assert len(mails) == 6
