"""Browsers at work: what the channel hands to the delivery path."""

from collections.abc import Callable, Sequence

from channels.browser import codes, keys, vapid
from channels.browser.answers import Reader
from channels.browser.endpoint import EndpointPolicy
from channels.browser.inbox_message import Letter, recipient_of
from channels.browser.inbox_provider import NAME as INBOX
from channels.browser.inbox_provider import InboxProvider
from channels.browser.message import WebPush
from channels.browser.render import Renderer
from channels.browser.settings import BrowserSettings, WebPushSettings, endpoint_policy
from channels.browser.standing import Standing
from channels.browser.webpush import NAME, WebPushProvider
from channels.provider import Capabilities, Provider
from tocsin.clock import Clock
from tocsin.delivery import Delivery
from tocsin.net.client import Client
from tocsin.net.guard import Guard
from tocsin.net.trust import trusting
from tocsin.outcome import Rejected
from tocsin.templates.catalogue import Catalogue


class BrowserCarrier:
    """Implements `channels.provider.Carrier`: one route to whichever push service an endpoint names, one to inboxes.

    Without the settings of `webpush`, or without an `inbox`, that route is off. `on_unmapped` gets each HTTP status
    that the table of codes does not know, for a metric. Raises SettingsError.
    """

    def __init__(
        self,
        browser: BrowserSettings,
        webpush: WebPushSettings | None,
        catalogue: Catalogue,
        *,
        clock: Clock,
        on_unmapped: Callable[[str], None],
        inbox: InboxProvider | None = None,
    ) -> None:
        policy = endpoint_policy(browser)
        self._renderer = Renderer(catalogue=catalogue, policy=policy)
        self._providers: dict[str, Provider] = {}
        if webpush is not None:
            self._providers[NAME] = _webpush(webpush, policy, clock=clock, on_unmapped=on_unmapped)
        if inbox is not None:
            self._providers[INBOX] = inbox

    @property
    def providers(self) -> Sequence[Provider]:
        """Those that are on."""
        return tuple(self._providers.values())

    def candidates(self, delivery: Delivery) -> Sequence[str]:
        """Return the name of the one provider that an address is for."""
        return (_route(delivery),)

    async def render(self, delivery: Delivery) -> WebPush | Letter | Rejected:
        """Return the message of this delivery, or why there can be none."""
        if _route(delivery) not in self._providers:
            detail = f"the provider {_route(delivery)} was on when this was accepted, and is off now"
            return Rejected(reason="provider_off", scope="message", message=detail)
        return self._renderer.render(delivery)

    async def aclose(self) -> None:
        """Close the connections."""
        for provider in self._providers.values():
            await provider.aclose()


def _route(delivery: Delivery) -> str:
    return NAME if recipient_of(delivery.address) is None else INBOX


def _webpush(
    settings: WebPushSettings, policy: EndpointPolicy, *, clock: Clock, on_unmapped: Callable[[str], None]
) -> WebPushProvider:
    standing = Standing(monotonic=clock.monotonic)
    return WebPushProvider(
        client=Client(
            connections=settings.connections,
            monotonic=clock.monotonic,
            ssl_context=trusting(settings.ca_file, key="webpush.ca_file"),
            allow_plain=bool(policy.exceptions),
            guard=Guard(exceptions=policy.exceptions),
            connect_timeout_seconds=settings.connect_timeout_seconds,
        ),
        keys=keys.load(settings),
        vapid=vapid.Vapid(vapid.subject(settings.subject), now=clock.now),
        reader=Reader(codes.load(), standing, now=clock.now, on_unmapped=on_unmapped),
        now=clock.now,
        capabilities=settings.applied_to(Capabilities(max_in_flight=settings.connections, many_hosts=True)),
    )
