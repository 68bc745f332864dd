"""Browsers at work: what the channel hands to the delivery path."""

from collections.abc import Callable, Sequence

from channels.browser import codes, keys, vapid
from channels.browser.answers import Reader
from channels.browser.message import WebPush
from channels.browser.render import Renderer
from channels.browser.settings import BrowserSettings, WebPushSettings, endpoint_policy
from channels.browser.standing import Standing
from channels.browser.webpush import NAME, WebPushProvider
from channels.provider import Provider
from tocsin.clock import Clock
from tocsin.delivery import Delivery
from tocsin.net.client import Client
from tocsin.net.guard import Guard
from tocsin.net.trust import trusting
from tocsin.outcome import Rejected
from tocsin.templates.catalogue import Catalogue


class BrowserCarrier:
    """Implements `channels.provider.Carrier`: one route, to whichever push service an endpoint names.

    `on_unmapped` gets each HTTP status that the table of codes does not know, for a metric. Raises SettingsError.
    """

    def __init__(
        self,
        browser: BrowserSettings,
        webpush: WebPushSettings,
        catalogue: Catalogue,
        *,
        clock: Clock,
        on_unmapped: Callable[[str], None],
    ) -> None:
        policy = endpoint_policy(browser)
        self._renderer = Renderer(catalogue=catalogue, policy=policy)
        standing = Standing(monotonic=clock.monotonic)
        self._provider = WebPushProvider(
            client=Client(
                connections=webpush.connections,
                monotonic=clock.monotonic,
                ssl_context=trusting(webpush.ca_file, key="webpush.ca_file"),
                allow_plain=bool(policy.exceptions),
                guard=Guard(exceptions=policy.exceptions),
                connect_timeout_seconds=webpush.connect_timeout_seconds,
            ),
            keys=keys.load(webpush),
            vapid=vapid.Vapid(vapid.subject(webpush.subject), now=clock.now),
            reader=Reader(codes.load(), standing, now=clock.now, on_unmapped=on_unmapped),
            now=clock.now,
            connections=webpush.connections,
        )

    @property
    def providers(self) -> Sequence[Provider]:
        """The one provider."""
        return (self._provider,)

    def candidates(self, delivery: Delivery) -> Sequence[str]:  # noqa: ARG002 - it takes every message
        """Return the name of the one provider."""
        return (NAME,)

    async def render(self, delivery: Delivery) -> WebPush | Rejected:
        """Return the message of this delivery, or why there can be none."""
        return self._renderer.render(delivery)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._provider.aclose()
