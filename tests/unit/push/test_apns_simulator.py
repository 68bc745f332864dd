"""The simulator on its own: it judges as Apple does, and its control says what it got and makes it misbehave."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest
from fastapi import FastAPI

from channels.push import apns_token
from simulators.apns import checking, control, reasons, simulator
from simulators.apns.credentials import KEY_ID, TEAM_ID, TOPIC
from simulators.apns.simulator import Demo
from tests.support.clock import ManualClock
from tests.support.waiting import until
from tests.unit.push.apns_world import NOON, TOKEN, World, known, push, settings, world
from tocsin.outcome import Deferred, Delivered, Unconfirmed
from tocsin.settings.load import load


def headers(**changes: str | None) -> dict[str, str]:
    key = apns_token.parse(known().key_pem(), key_id=KEY_ID, team_id=TEAM_ID)
    told: dict[str, str | None] = {
        ":method": "POST",
        ":path": f"/3/device/{TOKEN}",
        "authorization": f"bearer {key.sign(NOON)}",
        "apns-topic": TOPIC,
        "apns-push-type": "alert",
        "apns-id": str(uuid4()),
        "apns-expiration": "0",
        "apns-priority": "10",
        "apns-collapse-id": "x" * 64,
    }
    given = {
        f":{name}" if name in ("method", "path") else name.replace("_", "-"): each for name, each in changes.items()
    }
    return {name: value for name, value in (told | given).items() if value is not None}


def judged(body: bytes = b'{"aps":{}}', /, **changes: str | None) -> str | None:
    return checking.fault(headers(**changes), body, key=known().key.public_key(), now=NOON)


def signed(*, key_id: str = KEY_ID, team_id: str = TEAM_ID, minutes_old: int = 0, pem: str | None = None) -> str:
    key = apns_token.parse(pem or known().key_pem(), key_id=key_id, team_id=team_id)
    return f"bearer {key.sign(NOON - timedelta(minutes=minutes_old))}"


def test_a_push_that_is_right_is_taken() -> None:
    assert judged() is None
    assert judged(apns_id=None, apns_expiration=None, apns_priority=None, apns_collapse_id=None) is None


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"method": "GET"}, "MethodNotAllowed"),
        ({"path": "/3/devices/ab"}, "BadPath"),
        ({"path": "/3/device/"}, "MissingDeviceToken"),
        ({"path": "/3/device/xyz"}, "BadDeviceToken"),
        ({"authorization": None}, "MissingProviderToken"),
        ({"authorization": "Bearer x"}, "MissingProviderToken"),
        ({"authorization": "bearer x"}, "InvalidProviderToken"),
        ({"authorization": "bearer e30.e30.AAAA"}, "InvalidProviderToken"),
        ({"apns_topic": None}, "MissingTopic"),
        ({"apns_topic": "com.example.other"}, "DeviceTokenNotForTopic"),
        ({"apns_push_type": None}, "InvalidPushType"),
        ({"apns_id": "7"}, "BadMessageId"),
        ({"apns_expiration": "soon"}, "BadExpirationDate"),
        ({"apns_priority": "7"}, "BadPriority"),
        ({"apns_collapse_id": "x" * 65}, "BadCollapseId"),
    ],
)
def test_a_header_that_is_wrong_is_named(changes: dict[str, str | None], reason: str) -> None:
    assert judged(**changes) == reason


@pytest.mark.parametrize(
    ("body", "reason"),
    [(b"", "PayloadEmpty"), (b"{}", "PayloadEmpty"), (b"[]", "PayloadEmpty"), (b" " * 4097, "PayloadTooLarge")],
)
def test_a_payload_that_is_wrong_is_named(body: bytes, reason: str) -> None:
    assert judged(body) == reason


def test_a_provider_token_is_checked() -> None:
    other = simulator.Demo().credentials.key_pem()

    assert judged(authorization=signed(minutes_old=59)) is None
    assert judged(authorization=signed(minutes_old=61)) == "ExpiredProviderToken"
    assert judged(authorization=signed(key_id="OTHERKEY00")) == "InvalidProviderToken"
    assert judged(authorization=signed(team_id="OTHERTEAM0")) == "InvalidProviderToken"
    assert judged(authorization=signed(pem=other)) == "InvalidProviderToken"


@pytest.mark.parametrize("reason", reasons.STATUS_OF)
def test_a_device_token_asks_for_a_reason(reason: str) -> None:
    assert reasons.asked(reasons.token(reason, 7)) == reason
    assert reasons.asked(reasons.token(reason).upper()) == reason


def test_other_device_tokens_ask_for_none() -> None:
    assert reasons.asked(TOKEN) is None


async def test_one_stream_before_the_first_push_that_is_authenticated() -> None:
    async with world() as the:
        the.service.behaviour = type(the.service.behaviour)(max_streams=7)
        pool = the.provider._pool
        held = await pool._take(float("inf"), first=False)
        assert held._machine.most_streams == 1
        held.let_go()
        await the.send()
        await the.send()
        assert held._machine.most_streams == 7


@pytest.fixture
async def running() -> AsyncIterator[World]:
    async with world() as the:
        yield the


@pytest.fixture
async def http(running: World) -> AsyncIterator[httpx.AsyncClient]:
    app = FastAPI()
    app.include_router(control.router(running.service), prefix="/apns")
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://x/apns/") as client:
        yield client


async def test_the_control_shows_what_was_received(running: World, http: httpx.AsyncClient) -> None:
    await running.send(push(title="<b>Hi</b>"))

    [found] = (await http.get("pushes")).json()["pushes"]
    assert (found["token"], found["payload"]["aps"]["alert"]["title"]) == (TOKEN, "<b>Hi</b>")
    assert "authorization" not in found["headers"]
    assert (await http.get("counts")).json() == {"total": 1, "by_token": {TOKEN: 1}, "connections": 1}
    page = (await http.get("")).text
    assert "&lt;b&gt;Hi" in page
    assert "<b>" not in page
    assert (await http.delete("pushes")).status_code == 204
    assert (await http.get("counts")).json()["total"] == 0


async def test_the_control_puts_faults_in_force(running: World, http: httpx.AsyncClient) -> None:
    await running.send()
    assert (await http.post("faults", json={"reason": "ServiceUnavailable", "times": 1})).status_code == 201
    assert (await http.post("faults", json={"cut": True, "tokens": "00*"})).status_code == 201
    assert "503 ServiceUnavailable" in (await http.get("")).text

    assert await running.send() == Deferred(cause="unavailable", code="503 ServiceUnavailable")
    assert await running.send() == Unconfirmed(phase="headers")
    assert [rule["applied"] for rule in (await http.get("faults")).json()["faults"]] == [1, 1]
    assert (await http.delete("faults")).status_code == 204
    assert isinstance(await running.send(), Delivered)


async def test_an_answer_that_is_kept_back_is_for_a_push_that_was_taken(
    running: World, http: httpx.AsyncClient
) -> None:
    await running.send()
    await http.post("faults", json={"delay_seconds": 5, "times": 1})
    late = asyncio.create_task(running.send())
    await until(lambda: running.service.inbox.total == 2, what="the push to be taken")
    in_between = await running.send()
    before = late.done()
    running.clock.advance(timedelta(seconds=5))

    assert not before
    assert isinstance(in_between, Delivered)
    assert isinstance(await late, Delivered)


@pytest.mark.parametrize(
    "fault",
    [
        {},
        {"reason": "Novelty"},
        {"cut": True, "refuse_stream": True},
        {"cut": True, "retry_after_seconds": 1},
        {"cut": True, "delay_seconds": 1},
        {"x": 1},
    ],
)
async def test_the_control_refuses_what_is_no_fault(http: httpx.AsyncClient, fault: dict[str, Any]) -> None:
    answer = await http.post("faults", json=fault)

    assert answer.status_code == 422
    assert answer.json()["errors"]


async def test_the_control_sets_the_behaviour(running: World, http: httpx.AsyncClient) -> None:
    told = {"max_streams": 3, "goaway_every": 1, "goaway_form": "at_once"}
    assert (await http.put("behaviour", json=told)).json() == told
    assert (await http.get("behaviour")).json() == told
    assert (await http.put("behaviour", content=b"{")).status_code == 400

    await running.send()
    await running.send()
    assert running.service.connections == 2


async def test_the_control_hands_out_what_a_client_needs(http: httpx.AsyncClient) -> None:
    found = (await http.get("credentials")).json()
    tokens = (await http.get("tokens")).json()["tokens"]

    wanted = settings(1)
    assert found == {"key": wanted.key, "key_id": wanted.key_id, "team_id": wanted.team_id, "topic": wanted.topic}
    assert (await http.get("ca.pem")).text == wanted.ca
    assert tokens["Unregistered"] == "556e726567697374657265640000"


def test_a_demo_is_pointed_at_the_server() -> None:
    kind = type(settings(1))
    demo = Demo()
    found = load({"apns": kind}, path=None, environ={}, overrides=demo).section("apns", kind)

    assert found.configured
    assert found.url == "https://127.0.0.1:2197"
    assert found.ca == demo.credentials.ca_pem()
    assert list(demo) == ["apns"]
    with pytest.raises(KeyError):
        demo["fcm"]


async def test_the_entry_point_serves_the_demo(monkeypatch: pytest.MonkeyPatch, unused_tcp_port: int) -> None:
    monkeypatch.setattr(simulator, "PORT", unused_tcp_port)
    overrides = simulator.simulator.overrides["apns"]
    async with simulator.simulator.open(ManualClock(NOON)), world(**overrides) as the:
        assert isinstance(await the.send(), Delivered)

    assert the.service.inbox.total == 0  # it went to the other one
