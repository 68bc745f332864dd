"""The provider against a real HTTP server: what it sends, and what becomes of each way in which a call can end."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from typing import Any

import http_ece  # type: ignore[import-untyped] # it has no types
import pytest

from channels.browser import base64url, codes, keys
from channels.browser.answers import Reader
from channels.browser.carrier import BrowserCarrier
from channels.browser.endpoint import EndpointPolicy
from channels.browser.inbox_message import Letter
from channels.browser.message import WebPush
from channels.browser.render import Renderer
from channels.browser.settings import BrowserSettings, WebPushSettings
from channels.browser.standing import Standing
from channels.browser.subscription import Subscription
from channels.browser.vapid import Vapid
from channels.browser.webpush import WebPushProvider
from channels.provider import Capabilities
from tests.support.clock import ManualClock
from tests.support.http_server import HttpServer, Reply, serving
from tests.unit.browser.support import AUTH, BROWSER_PRIVATE, P256DH, SERVER_PRIVATE, delivery
from tocsin.delivery import Lane
from tocsin.errors import SettingsError
from tocsin.net.client import Client
from tocsin.net.guard import Guard
from tocsin.outcome import Deferred, Delivered, Outcome, Rejected, Unconfirmed
from tocsin.templates.catalogue import Catalogue


@pytest.fixture
async def server() -> AsyncIterator[HttpServer]:
    async with serving() as serves:
        serves.default = Reply(status=201, headers={"Location": "/m/1", "TTL": "60"})
        yield serves


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


class Sender:
    """A carrier, and how to send one delivery to a server on loopback."""

    def __init__(self, server: HttpServer, clock: ManualClock, **browser: Any) -> None:
        self.place = f"127.0.0.1:{server.port}"
        self.endpoint = f"http://{self.place}/push/1"
        self.claims = 0
        settings = BrowserSettings(**{"private_endpoints": (self.place,), **browser})
        webpush = WebPushSettings(vapid_key=SERVER_PRIVATE, subject="mailto:push@example.com")
        self.carrier = BrowserCarrier(
            settings, webpush, Catalogue(default_locale="en"), clock=clock, on_unmapped=lambda _: None
        )

    async def message(self, **changes: Any) -> WebPush | Letter | Rejected:
        """Return the message of a delivery to the server."""
        address = Subscription(endpoint=self.endpoint, p256dh=P256DH, auth=AUTH, key_id=changes.pop("key_id", None))
        return await self.carrier.render(delivery(**{"address": address.address, **changes}))

    async def send(self, *, seconds: float = 5.0, **changes: Any) -> Outcome:
        """Render and send."""
        message = await self.message(**changes)
        assert isinstance(message, WebPush)
        [provider] = self.carrier.providers
        deadline = asyncio.get_running_loop().time() + seconds
        return await provider.send(message, key="dlv:0", deadline=deadline, claim=self.claim)

    async def claim(self) -> None:
        """Count the claims."""
        self.claims += 1


@pytest.fixture
async def sender(server: HttpServer, clock: ManualClock) -> AsyncIterator[Sender]:
    made = Sender(server, clock)
    yield made
    await made.carrier.aclose()


async def test_a_message_has_the_headers_that_push_services_ask_for(server: HttpServer, sender: Sender) -> None:
    outcome = await sender.send(lane=Lane.HIGH)
    [received] = server.received
    headers = received.headers

    assert outcome == Delivered(provider_id="/m/1", code="201")
    assert sender.claims == 1
    assert (received.method, received.target) == ("POST", "/push/1")
    assert (headers["ttl"], headers["urgency"]) == ("3600", "high")
    assert (headers["content-encoding"], headers["content-type"]) == ("aes128gcm", "application/octet-stream")
    assert len(base64url.decode(headers["topic"])) == 24
    assert headers["authorization"].startswith("vapid t=")


async def test_the_browser_reads_what_was_rendered_and_each_time_it_is_encrypted_anew(
    server: HttpServer, sender: Sender
) -> None:
    message = await sender.message()
    await sender.send()
    await sender.send()
    private = keys.read(BROWSER_PRIVATE)
    assert private is not None
    assert isinstance(message, WebPush)
    first, second = (received.body for received in server.received)

    for body in (first, second):
        plain = http_ece.decrypt(
            body, private_key=private.private, auth_secret=base64url.decode(AUTH), version="aes128gcm"
        )
        assert plain == message.payload
    assert (first[:16], first[21:86]) != (second[:16], second[21:86])
    assert server.received[0].headers["topic"] == server.received[1].headers["topic"]


@pytest.mark.parametrize(
    ("left", "ttl"),
    [(timedelta(seconds=59.9), "59"), (timedelta(days=90), "2419200"), (timedelta(seconds=-1), "0")],
)
async def test_the_time_to_live_is_what_is_left_and_no_more_than_services_keep(
    server: HttpServer, sender: Sender, clock: ManualClock, left: timedelta, ttl: str
) -> None:
    await sender.send(expires_at=clock.now() + left)

    assert server.received[0].headers["ttl"] == ttl


async def test_a_redirect_is_not_followed(server: HttpServer, sender: Sender) -> None:
    server.replies.append(Reply(status=307, headers={"Location": f"http://{sender.place}/inside"}))
    outcome = await sender.send()

    assert isinstance(outcome, Rejected)
    assert outcome.reason == "redirected"
    assert len(server.received) == 1


@pytest.mark.parametrize("fault", ["close_before_answer", "close_after_headers"])
async def test_without_a_whole_answer_nobody_knows(server: HttpServer, sender: Sender, fault: Any) -> None:
    server.replies.append(Reply(status=201, body=b"x", fault=fault))
    outcome = await sender.send()

    assert isinstance(outcome, Unconfirmed)
    assert (sender.claims, len(server.received)) == (1, 1)


async def test_what_was_never_reached_is_tried_again_without_a_claim(server: HttpServer) -> None:
    async with serving() as other:
        closed = f"127.0.0.1:{other.port}"
    gone = Sender(server, ManualClock(), private_endpoints=(closed,))
    gone.endpoint = f"http://{closed}/push/1"
    outcome = await gone.send()
    await gone.carrier.aclose()

    assert isinstance(outcome, Deferred)
    assert (outcome.cause, gone.claims) == ("connection_refused", 0)


async def test_a_known_host_that_leads_inside_is_not_called(server: HttpServer, clock: ManualClock) -> None:
    async def inside(_host: str, _port: int) -> Sequence[str]:
        return ["127.0.0.1"]

    signer = keys.load(WebPushSettings(vapid_key=SERVER_PRIVATE))
    reader = Reader(codes.load(), Standing(monotonic=clock.monotonic), now=clock.now, on_unmapped=lambda _: None)
    provider = WebPushProvider(
        client=Client(connections=1, monotonic=clock.monotonic, guard=Guard(), resolve=inside),
        keys=signer,
        vapid=Vapid("mailto:push@example.com", now=clock.now),
        reader=reader,
        now=clock.now,
        capabilities=Capabilities(),
    )
    policy = EndpointPolicy(hosts=("*",), exceptions=frozenset())
    message = Renderer(catalogue=Catalogue(default_locale="en"), policy=policy).render(delivery())
    assert isinstance(message, WebPush)
    outcome = await provider.send(message, key="dlv:0", deadline=asyncio.get_running_loop().time() + 5, claim=_never)
    await provider.aclose()

    assert isinstance(outcome, Rejected)
    assert (outcome.scope, outcome.reason, outcome.code) == ("address", "endpoint_refused", "refused_by_guard")
    assert outcome.suppress is None
    assert server.connections == 0


async def _never() -> None:
    raise AssertionError("nothing was to be sent")


async def test_an_endpoint_that_the_settings_no_longer_allow_is_refused_before_the_call(server: HttpServer) -> None:
    sender = Sender(server, ManualClock(), private_endpoints=())
    found = await sender.message()
    await sender.carrier.aclose()

    assert isinstance(found, Rejected)
    assert (found.scope, found.reason) == ("address", "endpoint_refused")
    assert sender.place not in found.message


async def test_a_subscription_of_a_key_that_is_gone_is_refused_without_a_call(
    server: HttpServer, sender: Sender
) -> None:
    outcome = await sender.send(key_id="k" * 16)

    assert isinstance(outcome, Rejected)
    assert (outcome.scope, outcome.reason) == ("address", "other_vapid_key")
    assert (sender.claims, server.received) == (0, [])


async def test_a_token_that_was_refused_is_signed_anew(server: HttpServer, sender: Sender, clock: ManualClock) -> None:
    server.replies.append(Reply(status=403))
    assert isinstance(await sender.send(), Deferred)
    clock.advance(timedelta(seconds=1))
    assert isinstance(await sender.send(), Delivered)
    first, second = (received.headers["authorization"] for received in server.received)

    assert first != second


async def test_the_token_is_signed_once_for_an_origin(server: HttpServer, sender: Sender) -> None:
    await sender.send()
    await sender.send()

    assert len({received.headers["authorization"] for received in server.received}) == 1


@pytest.mark.parametrize("webpush", [{"subject": None}, {"ca_file": "no.pem"}, {"vapid_key": "x"}])
def test_settings_that_cannot_work_are_told_at_the_start(webpush: dict[str, Any]) -> None:
    given = {"vapid_key": SERVER_PRIVATE, "subject": "mailto:push@example.com", **webpush}
    found = Catalogue(default_locale="en")

    with pytest.raises(SettingsError, match=r"webpush\."):
        BrowserCarrier(
            BrowserSettings(), WebPushSettings(**given), found, clock=ManualClock(), on_unmapped=lambda _: None
        )
