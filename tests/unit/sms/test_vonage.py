"""Vonage against a server that answers as a test says: the status of each part, and what they come to together."""

import base64
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs

import msgspec
import pytest

from channels.sms.message import Sms
from channels.sms.reference import References
from channels.sms.settings import VonageSettings
from channels.sms.vonage import STATUS_PATH, VonageProvider
from tests.support.clock import ManualClock
from tests.support.http_server import HttpServer, Reply
from tests.unit.sms.conftest import NUMBER, CountingClaim, message, soon
from tocsin.net.client import Client
from tocsin.outcome import Delivered, Misconfigured, Outcome, Rejected, Throttled, Unconfirmed

PUBLIC = "https://notify.example.com"
TAKEN = {"to": "12025550143", "message-id": "0C1", "status": "0", "remaining-balance": "1", "network": "1"}


def parts(*statuses: str, text: str = "no") -> Reply:
    messages = [TAKEN if status == "0" else {"status": status, "error-text": text} for status in statuses]
    document = {"message-count": str(len(messages)), "messages": messages}
    return Reply(status=200, body=msgspec.json.encode(document))


class Sending:
    """A provider at the test's server, and the statuses that its table did not know."""

    def __init__(self, url: str, clock: ManualClock, *, public_url: str = PUBLIC) -> None:
        self.unmapped: list[str] = []
        self.clock = clock
        self.provider = VonageProvider(
            VonageSettings(api_key="key", api_secret="secret", sender="Shop", base_url=url + "/"),
            http=Client(connections=2, monotonic=clock.monotonic, allow_plain=True),
            clock=clock,
            public_url=public_url,
            on_unmapped=self.unmapped.append,
        )

    async def send(self, claim: CountingClaim, *, sms: Sms | None = None) -> Outcome:
        made = sms or message(self.clock)
        return await self.provider.send(made, key=f"{made.delivery_id}:2", deadline=soon(), claim=claim)


@pytest.fixture
async def sending(server: HttpServer, clock: ManualClock) -> AsyncIterator[Sending]:
    made = Sending(server.url, clock)
    yield made
    await made.provider.aclose()


async def test_a_text_is_posted_as_vonage_wants_it(
    server: HttpServer, sending: Sending, clock: ManualClock, claim: CountingClaim
) -> None:
    server.default = parts("0")
    sms = message(clock, text="Grüße & mehr")
    outcome = await sending.send(claim, sms=sms)
    [request] = server.received
    form = parse_qs(request.body.decode())
    reference = References("secret").read(form.pop("client-ref")[0], NUMBER)

    assert outcome == Delivered(provider_id="0C1", code="0")
    assert (request.method, request.target) == ("POST", "/sms/json")
    assert base64.b64decode(request.headers["authorization"].removeprefix("Basic ")) == b"key:secret"
    assert b"secret" not in request.body
    assert form == {
        "from": ["Shop"],
        "to": ["12025550143"],
        "text": ["Grüße & mehr"],
        "type": ["text"],
        "ttl": ["3600000"],
        "callback": [PUBLIC + STATUS_PATH],
        "status-report-req": ["true"],
    }
    assert reference is not None
    assert (reference.delivery_id, reference.life) == (sms.delivery_id, 2)
    assert claim.asked == 1


@pytest.mark.parametrize(
    ("expires_in", "ttl"),
    [(timedelta(seconds=3), ["20000"]), (timedelta(days=30), ["604800000"]), (timedelta(seconds=-1), None)],
)
async def test_the_time_to_live_keeps_within_vonages_bounds(
    *,
    server: HttpServer,
    sending: Sending,
    clock: ManualClock,
    claim: CountingClaim,
    expires_in: timedelta,
    ttl: list[str] | None,
) -> None:
    server.default = parts("0")
    await sending.send(claim, sms=message(clock, expires_in=expires_in))

    assert parse_qs(server.received[0].body.decode()).get("ttl") == ttl


async def test_unicode_is_asked_for_where_it_is_needed(
    server: HttpServer, sending: Sending, clock: ManualClock, claim: CountingClaim
) -> None:
    server.default = parts("0", "0")
    sms = replace(message(clock, text="я" * 80), encoding="ucs2")
    outcome = await sending.send(claim, sms=sms)

    assert isinstance(outcome, Delivered)
    assert parse_qs(server.received[0].body.decode())["type"] == ["unicode"]


@pytest.mark.parametrize(
    ("answer", "outcome", "code"),
    [
        (parts("1"), Throttled, "1"),
        (parts("4"), Misconfigured, "4"),
        (parts("5"), Unconfirmed, "5"),
        (parts("6", text=f"Invalid number {NUMBER}"), Rejected, "6"),
        (parts("6", "6"), Rejected, "6"),
        (parts("1", "6"), Throttled, "1"),
        (parts("1", "5"), Unconfirmed, "5"),
        (parts("5", "1"), Unconfirmed, "5"),
        (parts("0", "1"), Unconfirmed, "1"),
        (parts("1", "0", "0", text="12025550143"), Unconfirmed, "1"),
        (parts("77"), Rejected, "77"),
        (parts(), Unconfirmed, "200"),
        (Reply(status=200, body=b"<html>"), Unconfirmed, "200"),
        (Reply(status=200, body=b'{"messages": ["x"]}'), Unconfirmed, "200"),
        (Reply(status=200, body=b'{"messages": [{}]}'), Unconfirmed, "200"),
        (Reply(status=401, body=b"no"), Misconfigured, "401"),
        (Reply(status=429), Throttled, "429"),
        (Reply(status=500), Unconfirmed, "500"),
        (Reply(status=301, headers={"Location": "/"}), Misconfigured, "301"),
    ],
)
async def test_an_answer_comes_to(
    *, server: HttpServer, sending: Sending, claim: CountingClaim, answer: Reply, outcome: type[Outcome], code: str
) -> None:
    server.default = answer
    found = await sending.send(claim)

    assert type(found) is outcome
    assert found.code == code
    assert "0143" not in found.message
    assert (len(server.received), claim.asked) == (1, 1)


async def test_a_text_that_was_taken_in_part_is_unconfirmed(
    server: HttpServer, sending: Sending, claim: CountingClaim
) -> None:
    server.default = parts("0", "0", "1", text="Throttled")
    found = await sending.send(claim)

    assert isinstance(found, Unconfirmed)
    assert (found.phase, found.message) == ("partly_taken", "2 of 3 parts were taken: Throttled")


async def test_an_unknown_status_is_counted(server: HttpServer, sending: Sending, claim: CountingClaim) -> None:
    server.default = parts("77")
    await sending.send(claim)

    assert sending.unmapped == ["77"]


@pytest.mark.parametrize("fault", ["close_before_answer", "close_after_headers", "close_in_body"])
async def test_a_call_without_a_whole_answer_is_unconfirmed(
    server: HttpServer, sending: Sending, claim: CountingClaim, fault: Any
) -> None:
    server.default = Reply(body=parts("0").body, fault=fault)

    assert isinstance(await sending.send(claim), Unconfirmed)
    assert len(server.received) == 1


async def test_without_a_public_url_no_receipt_is_asked_for(
    server: HttpServer, clock: ManualClock, claim: CountingClaim
) -> None:
    server.default = parts("0")
    sending = Sending(server.url, clock, public_url="")
    await sending.send(claim)
    await sending.provider.aclose()
    form = parse_qs(server.received[0].body.decode())

    assert not {"callback", "client-ref"} & form.keys()
    assert not sending.provider.capabilities.receipts
