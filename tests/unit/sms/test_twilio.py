"""Twilio against a server that answers as a test says: what is sent, and what each end of a call comes to."""

import asyncio
import base64
import socket
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs

import msgspec
import pytest

from channels.sms.message import Sms
from channels.sms.reference import References
from channels.sms.settings import TwilioSettings
from channels.sms.twilio import STATUS_PATH, TwilioProvider
from tests.support.clock import ManualClock
from tests.support.http_server import HttpServer, Reply
from tests.unit.sms.conftest import NUMBER, CountingClaim, message, soon
from tocsin.net.client import Client
from tocsin.outcome import Deferred, Delivered, Misconfigured, Outcome, Rejected, Throttled, Unconfirmed

PUBLIC = "https://notify.example.com/tocsin"
MADE = {"sid": "SM1", "status": "queued", "num_segments": "1", "error_code": None}


def reply(status: int, document: Any, **headers: str) -> Reply:
    return Reply(status=status, headers=headers, body=msgspec.json.encode(document))


def refusal(status: int, code: int, text: str = "no") -> Reply:
    return reply(status, {"code": code, "message": text, "more_info": "", "status": status})


class Sending:
    """A provider at the test's server, and the codes that its table did not know."""

    def __init__(self, url: str, clock: ManualClock, *, public_url: str = PUBLIC, **changes: Any) -> None:
        self.unmapped: list[str] = []
        self.clock = clock
        settings: dict[str, Any] = {"account_sid": "AC1", "auth_token": "token", "sender": "+15005550006", **changes}
        self.provider = TwilioProvider(
            TwilioSettings(base_url=url, **settings),
            http=Client(connections=2, monotonic=clock.monotonic, allow_plain=True),
            clock=clock,
            public_url=public_url,
            on_unmapped=self.unmapped.append,
        )

    async def send(
        self, claim: CountingClaim, *, sms: Sms | None = None, life: int = 0, seconds: float = 10
    ) -> Outcome:
        made = sms or message(self.clock)
        return await self.provider.send(made, key=f"{made.delivery_id}:{life}", deadline=soon(seconds), claim=claim)


@pytest.fixture
async def sending(server: HttpServer, clock: ManualClock) -> AsyncIterator[Sending]:
    made = Sending(server.url, clock)
    yield made
    await made.provider.aclose()


async def test_a_text_is_posted_as_twilio_wants_it(
    server: HttpServer, sending: Sending, clock: ManualClock, claim: CountingClaim
) -> None:
    server.default = reply(201, MADE)
    sms = message(clock, text="Grüße & mehr")
    outcome = await sending.send(claim, sms=sms, life=3)
    [request] = server.received
    form = parse_qs(request.body.decode())
    path, _, reference = form.pop("StatusCallback")[0].rpartition("/")
    found = References("token").read(reference, NUMBER)

    assert outcome == Delivered(provider_id="SM1", code="queued")
    assert (request.method, request.target) == ("POST", "/2010-04-01/Accounts/AC1/Messages.json")
    assert base64.b64decode(request.headers["authorization"].removeprefix("Basic ")) == b"AC1:token"
    assert form == {
        "To": [NUMBER],
        "From": ["+15005550006"],
        "Body": ["Grüße & mehr"],
        "ValidityPeriod": ["3600"],
    }
    assert path + "/" == PUBLIC + STATUS_PATH
    assert found is not None
    assert (found.delivery_id, found.notification_id, found.life) == (sms.delivery_id, sms.notification_id, 3)
    assert claim.asked == 1


async def test_a_messaging_service_and_an_api_key(server: HttpServer, clock: ManualClock, claim: CountingClaim) -> None:
    changes: dict[str, Any] = {"sender": None, "messaging_service_sid": "MG1", "auth_token": None}
    sending = Sending(server.url, clock, **changes, api_key_sid="SK1", api_key_secret="key")
    server.default = reply(201, {**MADE, "status": "accepted"})
    await sending.send(claim)
    [request] = server.received
    form = parse_qs(request.body.decode())
    await sending.provider.aclose()

    assert base64.b64decode(request.headers["authorization"].removeprefix("Basic ")) == b"SK1:key"
    assert request.target == "/2010-04-01/Accounts/AC1/Messages.json"
    assert form["MessagingServiceSid"] == ["MG1"]
    # Without the auth token nobody could check what Twilio calls back with.
    assert not {"From", "StatusCallback"} & form.keys()
    assert not sending.provider.capabilities.receipts


@pytest.mark.parametrize(
    ("expires_in", "period"),
    [
        (timedelta(days=3), ["36000"]),
        (timedelta(seconds=90.5), ["90"]),
        (timedelta(seconds=-5), None),
    ],
)
async def test_validity_follows_the_expiry(
    *,
    server: HttpServer,
    sending: Sending,
    clock: ManualClock,
    claim: CountingClaim,
    expires_in: timedelta,
    period: list[str] | None,
) -> None:
    """A replay may outlive the expiry that the delivery was accepted with: then Twilio's own validity holds."""
    server.default = reply(201, MADE)
    await sending.send(claim, sms=message(clock, expires_in=expires_in))

    assert parse_qs(server.received[0].body.decode()).get("ValidityPeriod") == period


@pytest.mark.parametrize(
    ("answer", "outcome", "code"),
    [
        (refusal(400, 21211, f"The 'To' number {NUMBER} is not valid"), Rejected, "400 21211"),
        (refusal(401, 20003), Misconfigured, "401 20003"),
        (refusal(400, 30001), Throttled, "400 30001"),
        (refusal(429, 20429), Throttled, "429 20429"),
        (refusal(429, 1), Throttled, "429 1"),
        (Reply(status=429, body=b"slow down"), Throttled, "429"),
        (Reply(status=404, body=b"<html>"), Misconfigured, "404"),
        (Reply(status=302, headers={"Location": "https://example.com/"}), Misconfigured, "302"),
        (refusal(400, 99999), Rejected, "400 99999"),
        (Reply(status=500, body=b"oops"), Unconfirmed, "500"),
        (refusal(503, 20503), Unconfirmed, "503 20503"),
        (Reply(status=408), Unconfirmed, "408"),
        (reply(400, {"type": "t", "title": "No", "status": 400, "code": 21610, "detail": "x"}), Rejected, "400 21610"),
        (reply(400, {"code": None, "message": "no"}), Rejected, "400"),
        (reply(400, ["a", "list"]), Rejected, "400"),
        (Reply(status=201, body=b"<html>"), Unconfirmed, "201"),
        (Reply(status=201), Unconfirmed, "201"),
        (reply(201, ["a", "list"]), Unconfirmed, "201"),
        (reply(200, {"hello": "world"}), Unconfirmed, "200"),
        (reply(201, {**MADE, "status": "failed", "error_code": 21610}), Rejected, "201 21610"),
    ],
)
async def test_an_answer_comes_to(
    *, server: HttpServer, sending: Sending, claim: CountingClaim, answer: Reply, outcome: type[Outcome], code: str
) -> None:
    server.default = answer
    found = await sending.send(claim)

    assert type(found) is outcome
    assert found.code == code
    assert NUMBER not in found.message
    assert (len(server.received), claim.asked) == (1, 1)


async def test_an_opt_out_is_to_be_remembered(server: HttpServer, sending: Sending, claim: CountingClaim) -> None:
    server.default = refusal(400, 21610)
    found = await sending.send(claim)

    assert isinstance(found, Rejected)
    assert (found.scope, found.suppress) == ("address", "opt_out")


async def test_an_unknown_code_is_counted(server: HttpServer, sending: Sending, claim: CountingClaim) -> None:
    server.default = refusal(400, 29999)
    found = await sending.send(claim)

    assert isinstance(found, Rejected)
    assert (found.scope, found.reason, sending.unmapped) == ("message", "unmapped", ["29999"])


async def test_a_wait_that_is_asked_for_is_told(server: HttpServer, sending: Sending, claim: CountingClaim) -> None:
    server.replies.append(reply(429, {"code": 20429, "message": "slow"}, **{"Retry-After": "17"}))
    found = await sending.send(claim)

    assert isinstance(found, Throttled)
    assert (found.scope, found.retry_after) == ("account", timedelta(seconds=17))


@pytest.mark.parametrize(
    ("fault", "phase"),
    [("close_before_answer", "headers"), ("close_after_headers", "body"), ("close_in_body", "body")],
)
async def test_a_call_without_a_whole_answer_is_unconfirmed_and_not_repeated(
    server: HttpServer, sending: Sending, claim: CountingClaim, fault: Any, phase: str
) -> None:
    """Trap 5: the library's own client would POST again."""
    server.default = Reply(status=201, body=msgspec.json.encode(MADE), fault=fault)
    found = await sending.send(claim)

    assert isinstance(found, Unconfirmed)
    assert found.phase == phase
    assert len(server.received) == 1


async def test_503_is_not_repeated(server: HttpServer, sending: Sending, claim: CountingClaim) -> None:
    """Trap 5: with `max_retries` the library's own client would POST again."""
    server.replies.extend([Reply(status=503), reply(201, MADE)])
    found = await sending.send(claim)

    assert isinstance(found, Unconfirmed)
    assert len(server.received) == 1


async def test_a_server_that_is_silent_is_given_up_at_the_deadline(
    server: HttpServer, sending: Sending, claim: CountingClaim
) -> None:
    """Trap 5: the library's own client ignores its timeout."""
    server.default = Reply(fault="hang")
    async with asyncio.timeout(30):
        found = await sending.send(claim, seconds=1)

    assert isinstance(found, Unconfirmed)


async def test_nobody_there_is_deferred_without_a_claim(clock: ManualClock, claim: CountingClaim) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        sending = Sending(f"http://127.0.0.1:{closed.getsockname()[1]}", clock)
        found = await sending.send(claim)
    await sending.provider.aclose()

    assert isinstance(found, Deferred)
    assert (found.cause, claim.asked) == ("connection_refused", 0)


async def test_the_library_takes_nothing_from_the_environment(
    server: HttpServer, sending: Sending, claim: CountingClaim, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TWILIO_REGION", "au1")
    monkeypatch.setenv("TWILIO_EDGE", "sydney")
    server.default = reply(201, MADE)

    assert isinstance(await sending.send(claim), Delivered)
