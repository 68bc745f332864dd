"""What answers mean: each row of the table, what waits, and what is kept of foreign text."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from channels.browser import codes
from channels.browser.answers import Reader
from channels.browser.message import WebPush
from channels.browser.render import topic
from channels.browser.standing import Standing
from tests.support.clock import ManualClock
from tests.unit.browser.support import ENDPOINT, NOW, SUBSCRIPTION
from tocsin.net.http import Answer
from tocsin.outcome import Deferred, Delivered, Misconfigured, Outcome, Rejected, Throttled, Unconfirmed

KEY = "k" * 16
ORIGIN = "https://fcm.googleapis.com"
MESSAGE = WebPush(
    subscription=SUBSCRIPTION,
    origin=ORIGIN,
    payload=b"{}",
    expires_at=NOW + timedelta(hours=1),
    urgency="normal",
    topic=topic("ntf"),
)
GOOGLE = (
    b"the VAPID credentials in the authorization header do not correspond to the credentials used to create the "
    b"subscriptions.\n"
)


OTHER_KEY = {"scope": "address", "reason": "other_vapid_key", "suppress": None}


class Reading:
    """A reader, its clock and what it could not map."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.unmapped: list[str] = []
        standing = Standing(monotonic=self.clock.monotonic)
        self._reader = Reader(codes.load(), standing, now=self.clock.now, on_unmapped=self.unmapped.append)

    def of(self, status: int, body: bytes = b"", *, endpoint: str = ENDPOINT, **headers: str) -> Outcome:
        """Return what an answer means that came from the push service of an endpoint."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        origin = "/".join(endpoint.split("/", 3)[:3])
        message = replace(MESSAGE, subscription=replace(SUBSCRIPTION, endpoint=endpoint), origin=origin)
        return self._reader.outcome(Answer(status=status, headers=named, body=body), message, KEY)


@pytest.fixture
def reading() -> Reading:
    return Reading()


@pytest.mark.parametrize("status", [200, 201, 202, 204, 206, 299])
def test_it_was_taken_under_the_name_of_its_location(reading: Reading, status: int) -> None:
    found = reading.of(status, location=f"{ORIGIN}/0:1756%e609af1cf9fd7ecd")

    assert found == Delivered(provider_id=f"{ORIGIN}/0:1756%e609af1cf9fd7ecd", code=str(status))


@pytest.mark.parametrize("location", [ENDPOINT, f"{ENDPOINT}/m/1", None])
def test_a_location_that_holds_the_endpoint_is_not_kept(reading: Reading, location: str | None) -> None:
    found = reading.of(201) if location is None else reading.of(201, location=location)

    assert found == Delivered(code="201")


@pytest.mark.parametrize("status", [404, 410])
def test_a_browser_that_is_gone_is_never_called_again(reading: Reading, status: int) -> None:
    found = reading.of(status)

    assert isinstance(found, Rejected)
    assert (found.scope, found.reason, found.suppress) == ("address", "unsubscribed", "dead_token")


@pytest.mark.parametrize(
    ("status", "body", "kind", "fields"),
    [
        (413, b"", Rejected, {"scope": "message", "reason": "message_too_large", "suppress": None}),
        (400, b'{"reason":"BadDeviceToken"}', Rejected, {"scope": "address", "suppress": "dead_token"}),
        (301, b"", Rejected, {"scope": "address", "reason": "redirected", "suppress": None}),
        (307, b"", Rejected, {"scope": "address", "reason": "redirected"}),
        (408, b"", Deferred, {"cause": "temporary"}),
        (425, b"", Deferred, {"cause": "temporary"}),
        (429, b"", Throttled, {"scope": "recipient"}),
        (500, b"", Deferred, {"cause": "temporary"}),
        (503, b"", Deferred, {"cause": "temporary"}),
        (502, b"", Unconfirmed, {"phase": "bad_gateway"}),
        (504, b"", Unconfirmed, {"phase": "bad_gateway"}),
        (400, b"", Deferred, {"cause": "request_refused"}),
        (401, b'{"code":401,"errno":109}', Deferred, {"cause": "vapid_refused"}),
        (403, b'{"reason":"BadJwtToken"}', Deferred, {"cause": "vapid_refused"}),
        (403, GOOGLE, Rejected, OTHER_KEY),
        (401, b'{"errno":109,"message":"VAPID public key mismatch"}', Rejected, OTHER_KEY),
        (400, b'{"reason":"VapidPkHashMismatch"}', Rejected, OTHER_KEY),
    ],
)
def test_each_row_of_the_table(
    reading: Reading, status: int, body: bytes, kind: type[Outcome], fields: dict[str, Any]
) -> None:
    found = reading.of(status, body)

    assert isinstance(found, kind)
    assert {name: getattr(found, name) for name in fields} == fields
    assert found.code == str(status)
    assert reading.unmapped == []


@pytest.mark.parametrize(("status", "body"), [(403, GOOGLE), (401, b""), (400, b"")])
def test_while_the_key_is_taken_from_others_one_refusal_is_that_subscriptions_own(
    reading: Reading, status: int, body: bytes
) -> None:
    reading.of(201)
    found = [reading.of(status, body, endpoint=f"https://{number}.push.example/x") for number in range(9)]

    assert {(type(each), getattr(each, "scope", ""), getattr(each, "suppress", "")) for each in found} == {
        (Rejected, "address", None)
    }


@pytest.mark.parametrize("status", [400, 401, 403])
def test_several_refusals_in_a_row_are_the_keys_fault(reading: Reading, status: int) -> None:
    found = [reading.of(status, endpoint=f"{ORIGIN}/{number}") for number in range(4)]

    assert [type(each) for each in found] == [Deferred, Deferred, Misconfigured, Misconfigured]


def test_one_subscription_that_is_refused_over_and_over_is_nobody_elses_fault(reading: Reading) -> None:
    assert {type(reading.of(401)) for _ in range(9)} == {Deferred}


def test_a_message_that_is_taken_clears_the_key(reading: Reading) -> None:
    reading.of(401, endpoint=f"{ORIGIN}/1")
    reading.of(401, endpoint=f"{ORIGIN}/2")
    reading.of(201, endpoint=f"{ORIGIN}/3")
    reading.clock.advance(timedelta(hours=2))

    assert isinstance(reading.of(401, endpoint=f"{ORIGIN}/4"), Deferred)


def test_a_key_that_was_taken_long_ago_may_be_wrong_by_now(reading: Reading) -> None:
    reading.of(201)
    reading.clock.advance(timedelta(hours=1))

    assert isinstance(reading.of(403), Deferred)


@pytest.mark.parametrize("status", [402, 418, 451, 507, 599])
def test_an_unknown_status_is_counted_and_tried_again(reading: Reading, status: int) -> None:
    found = reading.of(status, retry_after="30")

    assert isinstance(found, Deferred)
    assert (found.cause, found.retry_after) == ("unmapped", timedelta(seconds=30))
    assert reading.unmapped == [str(status)]


@pytest.mark.parametrize("status", [101, 501, 599])
def test_an_unknown_status_that_is_no_refusal_may_be_a_delivery(reading: Reading, status: int) -> None:
    found = reading.of(status)

    assert found == Unconfirmed(phase="answer", code=str(status))
    assert reading.unmapped == [str(status)]


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(
    ("text", "wait"),
    [
        ("300", timedelta(minutes=5)),
        ("0", timedelta()),
        ("Tue, 01 Jan 2030 00:01:00 GMT", timedelta(minutes=1)),
        ("Mon, 31 Dec 2029 23:00:00 GMT", timedelta()),
        ("soon", None),
        ("-5", None),
        ("", None),
        ("9" * 400, timedelta(seconds=10**8)),
        ("Mon, 01 Jan 99999999999999999999 00:00:00 GMT", None),
        ("٣", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(reading: Reading, status: int, text: str, wait: timedelta | None) -> None:
    found = reading.of(status, retry_after=text)

    assert isinstance(found, Throttled | Deferred)
    assert found.retry_after == wait


def test_what_is_kept_of_an_answer_is_short_and_holds_neither_endpoint_nor_token(reading: Reading) -> None:
    body = f"bad\r\n{ENDPOINT} {SUBSCRIPTION.p256dh} for ada@example.com \x1b[31m".encode() + b"word " * 1000
    found = reading.of(500, body)

    assert len(found.message) <= 512
    for secret in (ENDPOINT, "APA91b", SUBSCRIPTION.p256dh, "ada", "\r", "\x1b"):
        assert secret not in found.message
    assert found.message.startswith("bad")
