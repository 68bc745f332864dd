"""A real Chromium, driven over the DevTools protocol. One at a time: its tests are one xdist group, "chromium"."""

import os
import shutil
from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser, async_playwright, expect

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


@pytest.fixture(scope="session")
def chromium_path() -> str:
    """Return where Chromium is: TOCSIN_CHROMIUM, else on the PATH. Without one: skipped here, a failure in CI."""
    found = os.environ.get("TOCSIN_CHROMIUM") or next(filter(None, map(shutil.which, _NAMES)), None)
    if found:
        return found
    reason = "there is no Chromium; install it with `make tools`, or name one in TOCSIN_CHROMIUM"
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture
async def browser(chromium_path: str) -> AsyncIterator[Browser]:
    """Return a browser of this test's own. Its sandbox is off: root may not have one, and it sees our pages only."""
    # By itself it would give up after 5 s, and the machine may have other work.
    expect.set_options(timeout=30_000)
    async with async_playwright() as playwright:
        launched = await playwright.chromium.launch(executable_path=chromium_path, args=["--no-sandbox"])
        try:
            yield launched
        finally:
            await launched.close()
