"""Resend against a server that answers as a test says: what is sent, and what each end of a call comes to."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from channels.email import resend_message
from channels.email.address import Mailbox
from channels.email.resend import ResendProvider
from channels.email.resend_settings import ResendSettings
from tests.support.clock import ManualClock
from tests.support.http_server import Reply
from tests.unit.email.http_sending import MAIL, PARTS, Sending, reply, sending_with
from tocsin.errors import SettingsError
from tocsin.outcome import Deferred, Delivered, Misconfigured, Outcome, Rejected, Throttled, Unconfirmed

OK = reply(200, {"id": "49a3999c-0ce1-4ea6-ab68-afcd6dc2e794"})


def provider(unmapped: list[str], **settings: Any) -> ResendProvider:
    given = {"api_key": "re_hunter2", **settings}
    return ResendProvider(ResendSettings(**given), clock=ManualClock(), on_unmapped=unmapped.append)


@pytest.fixture
async def sending() -> AsyncIterator[Sending]:
    async with sending_with(lambda url, unmapped: provider(unmapped, base_url=url)) as made:
        yield made


def refusal(status: int, name: str, text: str = "no") -> Reply:
    return reply(status, {"statusCode": status, "name": name, "message": text})


async def test_a_mail_is_sent_in_its_parts(sending: Sending) -> None:
    sending.server.default = OK
    outcome = await sending.send(key="dlv_1:3")
    [request] = sending.server.received

    assert outcome == Delivered(provider_id="49a3999c-0ce1-4ea6-ab68-afcd6dc2e794", code="200")
    assert (request.method, request.target) == ("POST", "/emails")
    assert request.headers["authorization"] == "Bearer re_hunter2"
    assert request.headers["idempotency-key"] == "dlv_1:3"
    assert request.headers["user-agent"]
    assert msgspec.json.decode(request.body) == {
        "from": "Shop <no-reply@shop.example>",
        "to": ["ada@example.com"],
        "subject": "Hello",
        "text": "Hello",
        "html": "<p>Hello</p>",
        "headers": {"Auto-Submitted": "auto-generated"},
        "attachments": [
            {"filename": "a.txt", "content": "aGkK", "content_type": "text/plain", "content_id": "a@shop.example"}
        ],
    }
    assert sending.claim.asked == 1


@pytest.mark.parametrize(
    ("name", "sender"),
    [
        ("", "a@b.example"),
        ("Größe & Söhne", "Größe & Söhne <a@b.example>"),
        ('Müller, "Co" \\', '"Müller, \\"Co\\" \\\\" <a@b.example>'),
    ],
)
def test_a_sender_has_its_name(name: str, sender: str) -> None:
    mail = replace(MAIL, parts=replace(PARTS, sender=Mailbox(name=name, address="a@b.example")))

    assert msgspec.json.decode(resend_message.body(mail))["from"] == sender


def test_there_is_always_a_text() -> None:
    only_html = replace(MAIL, parts=replace(PARTS, text=None, files=()))
    only_text = replace(MAIL, parts=replace(PARTS, html=None))
    derived = msgspec.json.decode(resend_message.body(only_html))

    assert derived["text"].strip() == "Hello"
    assert "attachments" not in derived
    assert "html" not in msgspec.json.decode(resend_message.body(only_text))


def test_a_mail_without_its_parts_is_a_bug() -> None:
    with pytest.raises(ValueError, match="without its parts"):
        resend_message.body(replace(MAIL, parts=None))


async def test_resend_is_idempotent() -> None:
    made = provider([], connections=3)

    assert (made.name, made.capabilities.idempotency, made.capabilities.max_in_flight) == ("resend", True, 3)
    await made.aclose()


@pytest.mark.parametrize(
    ("answer", "outcome", "code"),
    [
        (refusal(429, "rate_limit_exceeded"), Throttled, "429 rate_limit_exceeded"),
        (refusal(422, "validation_error", "Invalid `to`: ada@example.com"), Rejected, "422 validation_error"),
        (refusal(403, "validation_error", "not verified"), Misconfigured, "403 validation_error"),
        (refusal(400, "validation_error", "API key is invalid"), Misconfigured, "400 validation_error"),
        (Reply(status=403, body=b"error code: 1010"), Misconfigured, "403"),
        (refusal(409, "concurrent_idempotent_requests"), Deferred, "409 concurrent_idempotent_requests"),
        (refusal(409, "invalid_idempotent_request"), Unconfirmed, "409 invalid_idempotent_request"),
        (refusal(500, "application_error"), Unconfirmed, "500 application_error"),
        (Reply(status=429, body=b"slow down"), Throttled, "429"),
        (Reply(status=302, headers={"Location": "https://example.com/"}), Misconfigured, "302"),
        (Reply(status=502, body=b"oops"), Unconfirmed, "502"),
        (reply(400, ["a", "list"]), Rejected, "400"),
        (Reply(status=200, body=b"<html>"), Unconfirmed, "200"),
        (reply(200, {"id": None}), Unconfirmed, "200"),
    ],
)
async def test_an_answer_comes_to(sending: Sending, answer: Reply, outcome: type[Outcome], code: str) -> None:
    sending.server.default = answer
    found = await sending.send()

    assert type(found) is outcome
    assert found.code == code
    assert "ada" not in found.message
    assert (len(sending.server.received), sending.claim.asked) == (1, 1)


async def test_a_wait_that_is_asked_for_is_told(sending: Sending) -> None:
    sending.server.replies.append(reply(429, {"name": "rate_limit_exceeded", "message": "slow"}, Retry_After="17"))
    sending.server.replies.append(reply(503, {}, Retry_After="Tue, 01 Jan 2030 00:00:30 GMT"))
    rate, down = await sending.send(), await sending.send()

    assert isinstance(rate, Throttled)
    assert isinstance(down, Deferred)
    assert (rate.retry_after, down.retry_after) == (timedelta(seconds=17), timedelta(seconds=30))


async def test_an_unknown_error_is_counted(sending: Sending) -> None:
    sending.server.default = refusal(418, "teapot")
    await sending.send()

    assert sending.unmapped == ["418 teapot"]


@pytest.mark.parametrize("fault", ["close_before_answer", "close_after_headers", "close_in_body"])
async def test_a_call_without_a_whole_answer_is_unconfirmed_and_not_repeated(sending: Sending, fault: Any) -> None:
    sending.server.default = Reply(status=200, body=OK.body, fault=fault)
    found = await sending.send()

    assert isinstance(found, Unconfirmed)
    assert len(sending.server.received) == 1


async def test_an_international_address_is_for_other_routes(sending: Sending) -> None:
    found = await sending.send(replace(MAIL, recipient="ä@example.com", needs_smtputf8=True))

    assert isinstance(found, Rejected)
    assert (found.scope, sending.server.received, sending.claim.asked) == ("route", [], 0)


async def test_a_key_may_be_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("re_file\n")
    settings = {"api_key": None, "api_key_file": str(tmp_path / "key")}
    async with sending_with(lambda url, found: provider(found, base_url=f"{url}/resend/", **settings)) as sending:
        sending.server.default = OK
        await sending.send()
        [request] = sending.server.received

    assert (request.target, request.headers["authorization"]) == ("/resend/emails", "Bearer re_file")


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"api_key": None}, r"resend\.api_key_file \(or resend\.api_key\) is required"),
        ({"api_key": "re_hunter2\r\nX: y"}, r"resend\.api_key must be one word"),
        ({"api_key_file": "/x"}, r"resend\.api_key: is given both"),
        ({"base_url": "ftp://hunter2.example"}, r"resend\.base_url: the URL's scheme"),
    ],
)
def test_a_wrong_setting_is_named(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(SettingsError, match=words) as caught:
        provider([], **settings)

    assert "hunter2" not in str(caught.value)
