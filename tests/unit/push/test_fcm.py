"""The provider against a server that answers, fails and hangs up as it is told."""

import asyncio
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from channels.push.fcm import FcmProvider
from channels.push.fcm_settings import FcmSettings
from tests.support.clock import ManualClock
from tests.support.http_server import Reply
from tests.unit.push.fcm_peer import (
    DELIVERED,
    NAME,
    NOW,
    UNAUTHENTICATED,
    Claims,
    fcm,
    granted,
    provider,
    push,
    refused,
    service_account,
    soon,
)
from tocsin.errors import SettingsError
from tocsin.outcome import Deferred, Delivered, Misconfigured, Rejected, Throttled, Unconfirmed


async def test_a_push_is_one_call_with_a_token_to_the_project_of_the_account() -> None:
    claims = Claims()
    async with fcm() as peer, provider(peer) as route:
        outcome = await route.send(push(), key="k", deadline=soon(), claim=claims)
        [call] = peer.sent

    assert outcome == Delivered(provider_id=NAME, code="200")
    assert call.target == "/v1/projects/tocsin-demo/messages:send"
    assert call.headers["authorization"] == "Bearer token-1"
    assert call.headers["content-type"] == "application/json"
    assert claims.count == 1


async def test_what_is_sent_is_collapsed_by_the_notification_and_tried_until_it_expires() -> None:
    async with fcm() as peer, provider(peer) as route:
        for message in (push(), push(priority="normal", expires_at=NOW + timedelta(days=90))):
            await route.send(message, key="k", deadline=soon(), claim=Claims())
        urgent, patient = (msgspec.json.decode(call.body)["message"] for call in peer.sent)

    assert urgent == {
        "token": "device-1",
        "notification": {"title": "Order 1001", "body": "It is on its way."},
        "data": {"tocsin_notification_id": "ntf_01"},
        "android": {
            "collapse_key": "ntf_01",
            "priority": "HIGH",
            "ttl": "3600s",
            "notification": {"tag": "ntf_01"},
        },
        "apns": {
            "headers": {
                "apns-collapse-id": "ntf_01",
                "apns-expiration": str(int(NOW.timestamp()) + 3600),
                "apns-priority": "10",
            }
        },
        "webpush": {"headers": {"TTL": "3600", "Urgency": "high"}, "notification": {"tag": "ntf_01"}},
    }
    assert (patient["android"]["ttl"], patient["android"]["priority"]) == ("2419200s", "NORMAL")
    assert patient["apns"]["headers"]["apns-priority"] == "5"


async def test_the_token_is_kept_for_the_next_call() -> None:
    async with fcm() as peer, provider(peer) as route:
        await asyncio.gather(*(route.send(push(), key="k", deadline=soon(), claim=Claims()) for _ in range(20)))

        assert (len(peer.sent), len(peer.asked)) == (20, 1)


async def test_after_a_401_it_is_sent_once_more_with_a_new_token_and_the_same_claim() -> None:
    claims = Claims()
    async with fcm() as peer, provider(peer) as route:
        peer.tokens = [granted(1), granted(2)]
        peer.sends = [UNAUTHENTICATED, DELIVERED]
        outcome = await route.send(push(), key="k", deadline=soon(), claim=claims)

        assert isinstance(outcome, Delivered)
        assert [call.headers["authorization"] for call in peer.sent] == ["Bearer token-1", "Bearer token-2"]
        assert peer.sent[0].body == peer.sent[1].body
        assert claims.count == 1


async def test_a_second_401_is_a_matter_of_our_settings() -> None:
    async with fcm() as peer, provider(peer) as route:
        peer.tokens = [granted(1), granted(2)]
        peer.sends = [UNAUTHENTICATED]
        outcome = await route.send(push(), key="k", deadline=soon(), claim=Claims())

        assert isinstance(outcome, Misconfigured)
        assert (outcome.code, len(peer.sent)) == ("401 UNAUTHENTICATED", 2)


async def test_a_401_for_the_keys_of_others_is_not_repeated() -> None:
    details = [{"@type": "type.googleapis.com/google.firebase.fcm.v1.FcmError", "errorCode": "THIRD_PARTY_AUTH_ERROR"}]
    async with fcm() as peer, provider(peer) as route:
        peer.sends = [refused(401, {"status": "UNAUTHENTICATED", "details": details})]
        outcome = await route.send(push(), key="k", deadline=soon(), claim=Claims())

        assert isinstance(outcome, Rejected)
        assert (len(peer.sent), len(peer.asked)) == (1, 1)


async def test_many_401s_at_once_cost_one_new_token() -> None:
    async with fcm() as peer, provider(peer) as route:
        peer.tokens = [granted(1), granted(2)]
        both = asyncio.Event()
        peer.sends = [*[_held(UNAUTHENTICATED, both) for _ in range(8)], DELIVERED]
        sending = [asyncio.create_task(route.send(push(), key="k", deadline=soon(), claim=Claims())) for _ in range(8)]
        while len(peer.sent) < 8:
            peer.server.arrived.clear()
            await peer.server.arrived.wait()
        both.set()
        outcomes = await asyncio.gather(*sending)

        assert all(isinstance(outcome, Delivered) for outcome in outcomes)
        assert len(peer.asked) == 2


@pytest.mark.parametrize(
    ("reply", "phase"),
    [
        (Reply(fault="close_before_answer"), "headers"),
        (Reply(fault="close_after_headers", body=b"x" * 20), "body"),
        (Reply(fault="close_in_body", body=b"x" * 20), "body"),
        (Reply(body=b"<html>welcome to the hotel's network</html>"), "answer"),
    ],
)
async def test_bytes_that_left_without_an_answer_of_fcm_are_unconfirmed(reply: Reply, phase: str) -> None:
    async with fcm() as peer, provider(peer) as route:
        peer.sends = [reply]
        outcome = await route.send(push(), key="k", deadline=soon(), claim=Claims())

        assert isinstance(outcome, Unconfirmed)
        assert outcome.phase == phase
        assert len(peer.sent) == 1


async def test_an_answer_that_does_not_come_in_time_is_unconfirmed() -> None:
    async with fcm() as peer, provider(peer, timeout_seconds=1) as route:
        peer.sends = [Reply(fault="hang")]
        outcome = await route.send(push(), key="k", deadline=soon(), claim=Claims())

        assert isinstance(outcome, Unconfirmed)


async def test_where_nobody_listens_nothing_is_claimed_and_nothing_sent(unused_tcp_port: int) -> None:
    claims = Claims()
    async with fcm() as peer, provider(peer, base_url=f"http://127.0.0.1:{unused_tcp_port}") as route:
        outcome = await route.send(push(), key="k", deadline=soon(), claim=claims)

    assert outcome == Deferred(cause="connection_refused")
    assert claims.count == 0


async def test_without_a_token_nothing_is_claimed_and_nothing_sent() -> None:
    claims = Claims()
    async with fcm() as peer, provider(peer) as route:
        peer.tokens = [Reply(status=503)]
        outcome = await route.send(push(), key="k", deadline=soon(), claim=claims)

        assert outcome == Deferred(cause="token_refused", code="503")
        assert (claims.count, peer.sent) == (0, [])


@pytest.mark.parametrize(
    ("after", "wait"),
    [
        ("300", timedelta(seconds=300)),
        ("Tue, 01 Jan 2030 00:02:00 GMT", timedelta(seconds=120)),
        ("", timedelta(seconds=60)),
        ("soon", timedelta(seconds=60)),
    ],
)
async def test_a_429_waits_as_long_as_it_says_else_a_minute(after: str, wait: timedelta) -> None:
    headers = {"Retry-After": after} if after else {}
    async with fcm() as peer, provider(peer) as route:
        peer.sends = [refused(429, {"status": "RESOURCE_EXHAUSTED", "message": "Quota exceeded"}, **headers)]
        outcome = await route.send(push(), key="k", deadline=soon(), claim=Claims())

    assert outcome == Throttled(
        scope="account", retry_after=wait, code="429 RESOURCE_EXHAUSTED", message="Quota exceeded"
    )


async def test_a_code_that_no_row_knows_is_counted() -> None:
    unmapped: list[str] = []
    async with fcm() as peer, provider(peer, unmapped=unmapped) as route:
        peer.sends = [refused(418, {"status": "TEAPOT", "message": "short and stout"})]
        outcome = await route.send(push(), key="k", deadline=soon(), claim=Claims())

    assert outcome == Rejected(reason="unmapped", scope="message", code="418 TEAPOT", message="short and stout")
    assert unmapped == ["418 TEAPOT"]


async def test_an_outcome_repeats_neither_the_token_nor_the_content() -> None:
    violation = {"field": "message.data[0].value", "description": "Invalid value at 'message.data[0].value', secret"}
    bad = {"@type": "type.googleapis.com/google.rpc.BadRequest", "fieldViolations": [violation]}
    async with fcm() as peer, provider(peer) as route:
        peer.sends = [
            refused(400, {"status": "INVALID_ARGUMENT", "message": violation["description"], "details": [bad]}),
            refused(404, {"status": "NOT_FOUND", "message": "device-1 of ada@example.test is gone"}),
        ]
        first = await route.send(push(), key="k", deadline=soon(), claim=Claims())
        second = await route.send(push(), key="k", deadline=soon(), claim=Claims())

    assert first.message == "refused: message.data[0].value"
    assert second.message == "[redacted] of [redacted] is gone"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"credentials": None}, r"fcm\.credentials_file: is required"),
        ({"credentials": "{"}, r"fcm\.credentials: is not the JSON file of a service account: it is no JSON"),
        ({"credentials": "{}"}, r"missing required field `type`"),
        ({"credentials_file": "/nowhere/a.json"}, r"given both as a value and as fcm\.credentials_file"),
        ({"credentials": None, "credentials_file": "/nowhere/a.json"}, r"fcm\.credentials_file: .* cannot be read"),
        ({"base_url": "fcm.googleapis.com"}, r"fcm\.base_url: the URL is not of the form"),
        ({"token_url": "ftp://x"}, r"fcm\.token_url: the URL's scheme"),
        ({"project_id": "my shop"}, r"fcm\.project_id: must be the id"),
    ],
)
def test_a_wrong_setting_is_named(changes: dict[str, Any], words: str) -> None:
    settings = FcmSettings(**({"credentials": service_account().document()} | changes))
    with pytest.raises(SettingsError, match=words):
        FcmProvider(settings, clock=ManualClock(), on_unmapped=lambda _code: None)


def _held(reply: Reply, until: asyncio.Event) -> Reply:
    return Reply(status=reply.status, body=reply.body, after=until)
