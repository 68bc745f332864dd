"""The provider against the simulator: what it sends, what it makes of each answer, and what it never repeats."""

import asyncio
import time
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from channels.push.apns import ApnsProvider
from channels.push.apns_settings import ApnsSettings
from simulators.apns import reasons
from simulators.apns.behaviour import Behaviour, Form
from simulators.apns.faults import Fault
from tests.support.clock import ManualClock
from tests.unit.push.apns_world import NOON, TOKEN, known, push, settings, world
from tests.unit.push.scripted_h2 import authority, serving
from tocsin.errors import NotClaimed, SettingsError
from tocsin.outcome import Deferred, Delivered, Misconfigured, Rejected, Throttled, Unconfirmed


async def test_a_push_arrives_as_apple_wants_it() -> None:
    message = push(title="Grüße", data={"tocsin_notification_id": "ntf_01", "aps": "no", "order": "7"})
    async with world() as the:
        outcome = await the.send(message)

    [received] = the.service.inbox.newest()
    assert isinstance(outcome, Delivered)
    assert outcome.provider_id == received.headers["apns-id"]
    assert received.token == TOKEN
    assert received.payload == {
        "tocsin_notification_id": "ntf_01",
        "order": "7",
        "aps": {"alert": {"title": "Grüße", "body": "is on its way"}},
    }
    assert {name: value for name, value in received.headers.items() if name != "apns-id"} == {
        "apns-topic": "com.example.tocsin",
        "apns-push-type": "alert",
        "apns-expiration": str(int(message.expires_at.timestamp())),
        "apns-priority": "10",
        "apns-collapse-id": "ntf_01",
    }
    assert the.claims == 1


async def test_its_id_is_the_same_for_each_attempt_and_another_for_each_device() -> None:
    async with world() as the:
        for message in (push(), push(), push(token="ab" * 32), push(notification_id="ntf_02")):
            await the.send(message)

    ids = [received.headers["apns-id"] for received in the.service.inbox.newest()]
    assert len(set(ids)) == 3
    assert ids[-1] == ids[-2]
    assert all(UUID(each).version == 5 for each in ids)


async def test_what_need_not_wake_the_device_says_so() -> None:
    async with world() as the:
        await the.send(push(priority="normal"))

    assert next(the.service.inbox.newest()).headers["apns-priority"] == "5"


async def test_a_push_of_4096_bytes_is_sent_and_a_longer_one_is_not() -> None:
    spare = 4096 - len(b'{"aps":{"alert":{"title":"","body":""}}}')
    async with world() as the:
        fits = await the.send(push(title="", body="x" * spare, data={}))
        too_large = await the.send(push(title="", body="x" * (spare + 1), data={}))

    assert isinstance(fits, Delivered)
    assert too_large == Rejected(
        reason="too_large", scope="message", message="the push has 4097 bytes; APNs takes at most 4096"
    )
    assert (the.claims, the.service.inbox.total) == (1, 1)


@pytest.mark.parametrize("token", ["", "zz", "../3/device/ab", "ab/cd", "AB", "ab\r\nx: y", "a" * 401])
async def test_a_token_that_is_none_is_not_sent(token: str) -> None:
    async with world() as the:
        outcome = await the.send(push(token=token))

    assert isinstance(outcome, Rejected)
    assert (outcome.scope, outcome.reason, the.claims, the.service.connections) == ("address", "bad_device_token", 0, 0)


@pytest.mark.parametrize("reason", [reason for reason in reasons.STATUS_OF if reason != "ExpiredProviderToken"])
async def test_every_reason_comes_back_as_an_outcome(reason: str) -> None:
    async with world() as the:
        outcome = await the.send(push(token=reasons.token(reason)))

    assert not isinstance(outcome, Delivered | Unconfirmed)
    assert outcome.code == f"{reasons.STATUS_OF[reason]} {reason}"
    assert (the.claims, the.unmapped) == (1, [])


async def test_a_device_that_left_after_we_had_its_token_is_suppressed() -> None:
    async with world() as the:
        left = await the.send(push(token=reasons.token("Unregistered"), accepted_at=NOON - timedelta(seconds=1)))
        came = await the.send(push(token=reasons.token("Unregistered"), accepted_at=NOON + timedelta(seconds=1)))

    assert isinstance(left, Rejected)
    assert isinstance(came, Rejected)
    assert (left.suppress, came.suppress) == ("dead_token", None)


async def test_an_expired_provider_token_is_replaced_once_and_the_push_sent_again_under_one_claim() -> None:
    async with world() as the:
        await the.send()
        the.service.faults.add(Fault(reason="ExpiredProviderToken", times=1))
        assert isinstance(await the.send(), Delivered)

    assert (the.claims, the.service.inbox.total) == (2, 2)


async def test_a_clock_that_is_behind_is_our_settings_fault() -> None:
    async with world() as the:
        the.service._clock = ManualClock(NOON + timedelta(hours=2))
        outcomes = [await the.send() for _ in range(3)]

    assert [type(outcome) for outcome in outcomes] == [Misconfigured] * 3
    assert "clock" in outcomes[0].message


async def test_pushes_share_one_token_and_one_connection_for_45_minutes() -> None:
    seen: set[str] = set()
    async with world() as the:
        answer = the.service.answer

        def note(headers: Any, body: bytes) -> Any:
            seen.add(headers["authorization"])
            return answer(headers, body)

        the.service.answer = note  # type: ignore[method-assign]  # to see the token, which the inbox does not keep
        for _ in range(4):
            await asyncio.gather(*(the.send() for _ in range(10)))
            the.clock.advance(timedelta(minutes=20))

    assert len(seen) == 2
    assert the.service.connections == 1


async def test_retry_after_is_told() -> None:
    async with world() as the:
        the.service.faults.add(Fault(reason="TooManyRequests", retry_after_seconds=30, times=1))
        the.service.faults.add(Fault(reason="ServiceUnavailable", retry_after_seconds=60, times=1))
        often, busy = await the.send(), await the.send()

    assert often == Throttled(scope="recipient", retry_after=timedelta(seconds=30), code="429 TooManyRequests")
    assert busy == Deferred(cause="unavailable", retry_after=timedelta(seconds=60), code="503 ServiceUnavailable")


async def test_a_connection_that_is_cut_after_the_push_was_taken_leaves_it_open() -> None:
    async with world() as the:
        await the.send()
        the.service.faults.add(Fault(cut=True, times=1))
        assert await the.send() == Unconfirmed(phase="headers")
        assert isinstance(await the.send(), Delivered)

    assert (the.service.inbox.total, the.service.connections) == (3, 2)


async def test_a_stream_that_is_refused_is_sent_again_under_one_claim() -> None:
    async with world() as the:
        the.service.faults.add(Fault(refuse_stream=True, times=2))
        assert isinstance(await the.send(), Delivered)

    assert (the.claims, the.service.inbox.total) == (1, 1)


@pytest.mark.parametrize("form", ["graceful", "at_once"])
@pytest.mark.parametrize("in_flight", [1, 20])
async def test_with_a_goaway_every_50_pushes_each_is_accepted_once(form: Form, in_flight: int) -> None:
    tokens = iter([f"{number:064x}" for number in range(400)])
    async with world() as the:
        the.service.behaviour = Behaviour(goaway_every=50, goaway_form=form)

        async def work() -> None:
            for token in tokens:
                assert isinstance(await the.send(push(token=token)), Delivered)

        await asyncio.gather(*(work() for _ in range(in_flight)))

    assert Counter(the.service.inbox.by_token.values()) == {1: 400}
    assert the.claims == 400
    assert the.service.connections > 4


async def test_what_the_claim_raises_passes_through() -> None:
    async def refused() -> None:
        raise NotClaimed

    async with world() as the:
        with pytest.raises(NotClaimed):
            await the.send(claim=refused)
        await the.send()

    assert (the.service.inbox.total, the.service.connections) == (1, 1)


async def test_a_certificate_that_is_not_trusted_is_our_settings_fault() -> None:
    async with world(ca=None) as the:
        outcome = await the.send()

    assert isinstance(outcome, Misconfigured)
    assert "not trusted" in outcome.detail
    assert the.claims == 0


async def test_a_server_that_is_not_there_is_waited_for(unused_tcp_port: int) -> None:
    async with world(base_url=f"https://127.0.0.1:{unused_tcp_port}") as the:
        assert await the.send() == Deferred(cause="connection_refused")

    assert the.claims == 0


async def test_a_server_that_does_not_answer_in_time_leaves_it_open() -> None:
    async with serving(on_request=lambda _peer, _request: None) as server:
        url, ca = f"https://127.0.0.1:{server.port}", authority().cert_pem.bytes().decode()
        async with world(base_url=url, ca=ca, timeout_seconds=2) as the:
            assert await the.send() == Unconfirmed(phase="headers")
            assert await the.send(seconds=1) == Unconfirmed(phase="headers")

    assert (the.claims, len(server.heard)) == (2, 2)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"key": None}, "apns.key_file: is required"),
        ({"key": "x"}, "apns.key: is not"),
        ({"key_file": "/nowhere"}, "both"),
        ({"key": None, "key_file": "/nowhere"}, "apns.key_file: /nowhere cannot be read"),
        ({"key_id": None}, "apns.key_id: is required"),
        ({"key_id_file": "/nowhere"}, "apns.key_id: is given both"),
        ({"key_id": None, "key_id_file": "/nowhere"}, "apns.key_id_file: /nowhere cannot be read"),
        ({"team_id": None}, "apns.team_id: is required"),
        ({"topic": None}, "apns.topic: is required"),
        ({"topic": "a b"}, "apns.topic: must be"),
        ({"topic": "a\r\nb"}, "apns.topic: must be"),
        ({"base_url": "http://127.0.0.1"}, "apns.base_url"),
        ({"base_url": "https://127.0.0.1/path"}, "apns.base_url"),
        ({"base_url": "https://API.example"}, "apns.base_url"),
        ({"ca": "x"}, "apns.ca_file: is no PEM"),
        ({"ca": "ü"}, "apns.ca_file: is no PEM"),
        ({"ca": None, "ca_file": "/nowhere"}, "apns.ca_file: /nowhere cannot be read"),
        ({"ca_file": "/nowhere"}, "both"),
    ],
)
def test_wrong_settings_say_what_to_mend(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(SettingsError) as caught:
        made(settings(1, **changes))

    assert words in str(caught.value)
    assert "PRIVATE" not in str(caught.value)


def test_the_key_and_the_certificates_may_be_files(tmp_path: Path) -> None:
    key, ca = tmp_path / "AuthKey.p8", tmp_path / "ca.pem"
    key.write_text(known().key_pem())
    ca.write_text(known().ca_pem())

    assert made(settings(1, key=None, key_file=str(key), ca=None, ca_file=str(ca))).name == "apns"


@pytest.mark.parametrize(
    ("environment", "url"),
    [("production", "https://api.push.apple.com"), ("sandbox", "https://api.sandbox.push.apple.com")],
)
def test_the_environment_says_where_to(environment: Any, url: str) -> None:
    assert ApnsSettings(environment=environment).url == url
    assert not ApnsSettings(environment=environment).configured


def made(told: ApnsSettings) -> ApnsProvider:
    return ApnsProvider(told, clock=ManualClock(NOON), monotonic=time.monotonic, on_unmapped=lambda _code: None)
