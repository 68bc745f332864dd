"""A page of the site, in the browser, and what a test may ask about it."""

import asyncio
from dataclasses import dataclass
from typing import Any

from playwright.async_api import Browser, CDPSession, Page

_WORKER = """
async () => {
  await navigator.serviceWorker.register("/service-worker.js");
  // Ready is a worker that begins to be active already; one that is not yet gets no push from DevTools.
  const { active } = await navigator.serviceWorker.ready;
  while (active.state !== "activated")
    await new Promise((resolve) => active.addEventListener("statechange", resolve, { once: true }));
}
"""
_SHOWN = """
async () => {
  const registration = await navigator.serviceWorker.ready;
  const shown = await registration.getNotifications();
  return shown.map(({ title, body, tag, data }) => ({ title, body, tag, data }));
}
"""
_LISTED = """
() => [...document.querySelector("tocsin-inbox").shadowRoot.querySelectorAll("li")].map((item) => ({
  title: item.querySelector("strong").textContent,
  body: item.querySelector("span").textContent,
  unread: item.classList.contains("unread"),
}))
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """Our service worker at work, and the DevTools that stand in for the push service."""

    page: Page
    devtools: CDPSession
    origin: str
    registration: str

    async def push(self, text: str) -> None:
        """Hand a decrypted message to the worker."""
        message = {"origin": self.origin, "registrationId": self.registration, "data": text}
        await self.devtools.send("ServiceWorker.deliverPushMessage", message)

    async def first(self, text: str) -> dict[str, Any]:
        """Hand the first message of a browser to the worker; return what is shown for it.

        A browser that has just begun to look after notifications may forget the first: it is handed over again.
        """
        for _ in range(3):
            await self.push(text)
            try:
                [shown] = await self.shown()
            except TimeoutError:
                continue
            return shown
        raise AssertionError("nothing is shown")

    async def shown(self, count: int = 1) -> list[dict[str, Any]]:
        """Return the notifications that are shown, once there are so many. Raises TimeoutError."""

        async def look() -> list[dict[str, Any]]:
            while len(found := await self.page.evaluate(_SHOWN)) < count:
                pass
            return list(found)

        return await asyncio.wait_for(look(), timeout=20)


async def registered(browser: Browser, url: str) -> Worker:
    """Return the worker of a site whose notifications the person allows."""
    context = await browser.new_context(permissions=["notifications"])
    page = await context.new_page()
    await page.goto(url)
    devtools = await context.new_cdp_session(page)
    registrations: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    devtools.on("ServiceWorker.workerRegistrationUpdated", registrations.put_nowait)
    await page.evaluate(_WORKER)
    await devtools.send("ServiceWorker.enable")
    told = await asyncio.wait_for(registrations.get(), timeout=20)
    [registration] = told["registrations"]
    return Worker(page=page, devtools=devtools, origin=f"{url}/", registration=registration["registrationId"])


async def listed(page: Page) -> list[dict[str, Any]]:
    """Return what the inbox of a page lists, whether its panel is open or not."""
    found: list[dict[str, Any]] = await page.evaluate(_LISTED)
    return found


async def lists(page: Page, *bodies: str) -> None:
    """Return once the inbox of a page lists exactly these, the newest first."""
    same = f"(bodies) => JSON.stringify(({_LISTED})().map(({{ body }}) => body)) === JSON.stringify(bodies)"
    await page.wait_for_function(same, arg=list(bodies))


def unread(page: Page) -> Any:
    """Return the number on the bell."""
    return page.locator("tocsin-inbox .count")
