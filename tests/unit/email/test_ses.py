"""Amazon SES against a server that answers as a test says: what is sent, and what each end of a call comes to."""

from base64 import b64decode
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from channels.email import sigv4
from channels.email.ses import SesProvider
from channels.email.ses_settings import SesSettings
from tests.support.clock import ManualClock
from tests.support.http_server import Reply
from tests.unit.email.http_sending import DATA, MAIL, Sending, reply, sending_with
from tocsin.errors import SettingsError
from tocsin.outcome import Delivered, Misconfigured, Outcome, Rejected, Throttled, Unconfirmed

SETTINGS: dict[str, Any] = {
    "region": "eu-central-1",
    "access_key_id": "AKIAEXAMPLE",
    "secret_access_key": "hunter2",
}
OK = reply(200, {"MessageId": "0100-1"})


def provider(unmapped: list[str], **settings: Any) -> SesProvider:
    return SesProvider(SesSettings(**SETTINGS | settings), clock=ManualClock(), on_unmapped=unmapped.append)


@pytest.fixture
async def sending() -> AsyncIterator[Sending]:
    async with sending_with(lambda url, unmapped: provider(unmapped, base_url=url)) as made:
        yield made


def refusal(status: int, error: str, text: str = "no") -> Reply:
    return reply(status, {"message": text}, x_amzn_ErrorType=error)


async def test_a_mail_is_sent_as_its_bytes_and_signed(sending: Sending) -> None:
    sending.server.default = OK
    outcome = await sending.send()
    [request] = sending.server.received
    expected = sigv4.headers(
        method="POST",
        host=sending.server.url.removeprefix("http://"),
        path="/v2/email/outbound-emails",
        headers={"Content-Type": "application/json"},
        body=request.body,
        credentials=sigv4.Credentials(access_key_id="AKIAEXAMPLE", secret_access_key="hunter2"),
        scope=sigv4.Scope(region="eu-central-1", service="ses"),
        now=ManualClock().now(),
    )
    document = msgspec.json.decode(request.body)

    assert outcome == Delivered(provider_id="0100-1", code="200")
    assert (request.method, request.target) == ("POST", "/v2/email/outbound-emails")
    assert request.headers["authorization"] == expected["Authorization"]
    assert b64decode(document["Content"]["Raw"]["Data"]) == DATA
    assert document["Destination"] == {"ToAddresses": ["ada@example.com"]}
    assert document["FeedbackForwardingEmailAddress"] == "bounces@shop.example"
    assert "ConfigurationSetName" not in document
    assert "EmailTags" not in document
    assert sending.claim.asked == 1


async def test_a_session_token_a_configuration_set_and_a_path_before_ours(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("hunter2\n")
    settings = {
        "secret_access_key": None,
        "secret_access_key_file": str(tmp_path / "key"),
        "session_token": "token",
        "configuration_set": "shop",
    }
    async with sending_with(lambda url, found: provider(found, base_url=f"{url}/ses/", **settings)) as sending:
        sending.server.default = OK
        await sending.send()
        [request] = sending.server.received

    assert request.target == "/ses/v2/email/outbound-emails"
    assert request.headers["x-amz-security-token"] == "token"
    assert "x-amz-security-token" in request.headers["authorization"]
    assert msgspec.json.decode(request.body)["ConfigurationSetName"] == "shop"


async def test_ses_is_not_idempotent() -> None:
    made = provider([], connections=3)

    assert (made.name, made.capabilities.idempotency, made.capabilities.max_in_flight) == ("ses", False, 3)
    await made.aclose()


@pytest.mark.parametrize(
    ("answer", "outcome", "code"),
    [
        (refusal(429, "TooManyRequestsException"), Throttled, "429 TooManyRequestsException"),
        (refusal(400, "Throttling:http://internal.amazon.com/"), Throttled, "400 Throttling"),
        (reply(400, {"__type": "aws.ses#NotFoundException", "Message": "x"}), Misconfigured, "400 NotFoundException"),
        (refusal(400, "MessageRejected", "ada@example.com"), Rejected, "400 MessageRejected"),
        (refusal(403, "NewException"), Misconfigured, "403 NewException"),
        (refusal(503, "ServiceUnavailable"), Unconfirmed, "503 ServiceUnavailable"),
        (Reply(status=429, body=b"slow down"), Throttled, "429"),
        (Reply(status=404, body=b"<html>"), Misconfigured, "404"),
        (Reply(status=302, headers={"Location": "https://example.com/"}), Misconfigured, "302"),
        (Reply(status=500, body=b"oops"), Unconfirmed, "500"),
        (Reply(status=408), Unconfirmed, "408"),
        (reply(400, ["a", "list"]), Rejected, "400"),
        (Reply(status=200, body=b"<html>"), Unconfirmed, "200"),
        (reply(200, {"MessageId": 7}), Unconfirmed, "200"),
    ],
)
async def test_an_answer_comes_to(sending: Sending, answer: Reply, outcome: type[Outcome], code: str) -> None:
    sending.server.default = answer
    found = await sending.send()

    assert type(found) is outcome
    assert found.code == code
    assert "ada" not in found.message
    assert (len(sending.server.received), sending.claim.asked) == (1, 1)


async def test_an_unknown_error_is_counted(sending: Sending) -> None:
    sending.server.default = refusal(400, "NewException")
    found = await sending.send()

    assert isinstance(found, Rejected)
    assert (found.scope, found.reason, sending.unmapped) == ("message", "unmapped", ["400 NewException"])


async def test_a_daily_quota_waits_longer_than_a_rate(sending: Sending) -> None:
    sending.server.replies.append(refusal(429, "TooManyRequestsException", "Daily message quota exceeded."))
    sending.server.replies.append(refusal(429, "TooManyRequestsException", "Maximum sending rate exceeded."))
    quota, rate = await sending.send(), await sending.send()

    assert isinstance(quota, Throttled)
    assert isinstance(rate, Throttled)
    assert (quota.retry_after, rate.retry_after) == (timedelta(hours=1), None)


@pytest.mark.parametrize("fault", ["close_before_answer", "close_after_headers", "close_in_body"])
async def test_a_call_without_a_whole_answer_is_unconfirmed_and_not_repeated(sending: Sending, fault: Any) -> None:
    sending.server.default = Reply(status=200, body=OK.body, fault=fault)
    found = await sending.send()

    assert isinstance(found, Unconfirmed)
    assert len(sending.server.received) == 1


async def test_a_server_that_is_silent_is_given_up_at_the_deadline(sending: Sending) -> None:
    sending.server.default = Reply(fault="hang")

    assert isinstance(await sending.send(seconds=1), Unconfirmed)


async def test_an_international_address_is_for_other_routes(sending: Sending) -> None:
    found = await sending.send(msgspec.structs.replace(MAIL, recipient="ä@example.com", needs_smtputf8=True))

    assert isinstance(found, Rejected)
    assert (found.scope, found.reason) == ("route", "smtputf8_not_supported")
    assert (sending.server.received, sending.claim.asked) == ([], 0)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"region": ""}, r"ses\.region must be a region"),
        ({"region": "eu-central-1.evil.example/"}, r"ses\.region must be a region"),
        ({"access_key_id": ""}, r"ses\.access_key_id must be"),
        ({"secret_access_key": None}, r"ses\.secret_access_key_file \(or ses\.secret_access_key\) is required"),
        ({"secret_access_key_file": "/x"}, r"ses\.secret_access_key: is given both"),
        ({"base_url": "ftp://hunter2.example"}, r"ses\.base_url: the URL's scheme"),
    ],
)
def test_a_wrong_setting_is_named(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(SettingsError, match=words) as caught:
        provider([], **settings)

    assert "hunter2" not in str(caught.value)
