"""Pictures of a page as people see it, light and dark, wide and narrow, and what a machine can say against them."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any, Literal

from playwright.async_api import Browser, Page

Scheme = Literal["light", "dark"]

_SCHEMES: tuple[Scheme, ...] = ("light", "dark")
_WIDTHS = (1100, 380)
_HEIGHT = 760

# For all text on the page, shadow trees included: its contrast with the nearest background that is not transparent
# (WCAG 2.2, 1.4.3), unless it is switched off or not to be seen.
_FAINT = """
() => {
  const canvas = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
  const rgba = (colour) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const linear = (part) => (part /= 255) <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  const light = ([red, green, blue]) => 0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue);
  const up = (element) => element.parentElement ?? element.getRootNode().host ?? null;
  const behind = (element) => {
    for (let each = element; each; each = up(each)) {
      const colour = rgba(getComputedStyle(each).backgroundColor);
      if (colour[3] > 250) return colour;
    }
    return matchMedia("(prefers-color-scheme: dark)").matches ? [18, 18, 18, 255] : [255, 255, 255, 255];
  };
  const walk = function* (root) {
    for (const element of root.querySelectorAll("*")) {
      yield element;
      if (element.shadowRoot) yield* walk(element.shadowRoot);
    }
  };
  const faint = [];
  for (const element of walk(document)) {
    const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
    const box = element.getBoundingClientRect();
    if (!own || box.width < 2 || box.height < 2 || element.disabled) continue;
    if (!element.checkVisibility({ opacityProperty: true, visibilityProperty: true })) continue;
    const [one, other] = [light(rgba(getComputedStyle(element).color)), light(behind(element))];
    const contrast = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
    if (contrast < 4.5) faint.push(`${element.tagName} ${element.textContent.trim()}: ${contrast.toFixed(1)}`);
  }
  return faint;
}
"""
_SIDEWAYS = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """One way to see a page."""

    page: Page
    scheme: Scheme
    width: int

    async def picture(self, directory: Path, name: str) -> None:
        """Take a picture, and check that nothing is cut off at the side and that all text can be read."""
        path = directory / f"{name}-{self.scheme}-{self.width}.png"
        await self.page.screenshot(path=path)
        sideways: int = await self.page.evaluate(_SIDEWAYS)
        faint: list[Any] = await self.page.evaluate(_FAINT)

        assert path.stat().st_size > 0
        assert sideways <= 0, f"{path.name}: the page is {sideways} pixels too wide"
        assert not faint, f"{path.name}: {faint}"


async def looks(browser: Browser) -> AsyncIterator[Look]:
    """Yield each way to see a page, on an empty page of its own."""
    for scheme, width in product(_SCHEMES, _WIDTHS):
        page = await browser.new_page(color_scheme=scheme, viewport={"width": width, "height": _HEIGHT})
        yield Look(page=page, scheme=scheme, width=width)
        await page.close()
