"""The simulators of Twilio and Vonage: the providers' own paths and words, faults, and signed callbacks."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qsl

import httpx
import pytest
from twilio.request_validator import RequestValidator  # type: ignore[import-untyped] # it has no types

from channels.sms.vonage_callbacks import signature
from simulators.sms.faults import Fault, Faults
from simulators.twilio import simulator as twilio
from simulators.vonage import simulator as vonage
from tests.support import waiting
from tests.support.http_server import HttpServer, Received, serving
from tocsin.runtime.clock import SystemClock
from tocsin.runtime.service import Simulator
from tocsin.runtime.simulating import PORT, simulating

NUMBER = "+12025550143"
MESSAGES = f"2010-04-01/Accounts/{twilio.ACCOUNT_SID}/Messages.json"
LOGIN = (twilio.ACCOUNT_SID, twilio.AUTH_TOKEN)
KEY = (vonage.API_KEY, vonage.API_SECRET)


@asynccontextmanager
async def opened(simulator: Simulator) -> AsyncIterator[httpx.AsyncClient]:
    async with (
        simulating([simulator], clock=SystemClock(), port=0) as pages,
        httpx.AsyncClient(base_url=pages[simulator.name]) as client,
    ):
        yield client


@pytest.fixture
async def to_twilio() -> AsyncIterator[httpx.AsyncClient]:
    async with opened(twilio.simulator) as client:
        yield client


@pytest.fixture
async def to_vonage() -> AsyncIterator[httpx.AsyncClient]:
    async with opened(vonage.simulator) as client:
        yield client


@pytest.fixture
async def listener() -> AsyncIterator[HttpServer]:
    async with serving() as server:
        yield server


async def text(client: httpx.AsyncClient, to: str = NUMBER, **fields: str) -> httpx.Response:
    form = {"To": to, "From": "+15005550006", "Body": "Hello", **fields}
    return await client.post(MESSAGES, data=form, auth=LOGIN)


async def vonage_text(client: httpx.AsyncClient, to: str = NUMBER, **fields: str) -> list[dict[str, str]]:
    form = {"to": to.removeprefix("+"), "from": "Shop", "text": "Hello", **fields}
    response = await client.post("sms/json", data=form, auth=KEY)
    assert response.status_code == 200, response.text
    found: list[dict[str, str]] = response.json()["messages"]
    return found


async def arrived(listener: HttpServer, count: int) -> list[Received]:
    await waiting.until(lambda: len(listener.received) >= count, what=f"{count} callbacks")
    return listener.received


async def test_twilio_answers_as_twilio_does(to_twilio: httpx.AsyncClient) -> None:
    response = await text(to_twilio)
    made = response.json()
    [kept] = (await to_twilio.get("messages")).json()["messages"]
    page = await to_twilio.get("")

    assert response.status_code == 201
    assert (made["status"], made["to"], made["error_code"]) == ("queued", NUMBER, None)
    assert made["sid"].startswith("SM")
    assert len(made["sid"]) == 34
    assert (kept["provider_id"], kept["text"]) == (made["sid"], "Hello")
    assert NUMBER in page.text


async def test_a_page_runs_nothing_that_a_text_says(to_twilio: httpx.AsyncClient) -> None:
    await text(to_twilio, Body="<script>alert(1)</script>")
    page = await to_twilio.get("")

    assert "<script>" not in page.text
    assert "default-src 'none'" in page.headers["content-security-policy"]


@pytest.mark.parametrize(
    ("number", "code"),
    [
        ("+15005550001", 21211),
        ("+15005550002", 21612),
        ("+15005550003", 21408),
        ("+15005550004", 21610),
        ("+15005550009", 21614),
    ],
)
async def test_twilios_test_numbers_fail_as_they_do_there(to_twilio: httpx.AsyncClient, number: str, code: int) -> None:
    response = await text(to_twilio, number)

    assert response.status_code == 400
    assert response.json()["code"] == code
    assert response.json()["more_info"].endswith(str(code))
    assert (await to_twilio.get("counts")).json()["total"] == 0


@pytest.mark.parametrize(
    ("fields", "code"),
    [({"To": ""}, 21604), ({"From": ""}, 21603), ({"Body": ""}, 21602), ({"Body": "a" * 1601}, 21617)],
)
async def test_twilio_checks_what_it_is_given(to_twilio: httpx.AsyncClient, fields: dict[str, str], code: int) -> None:
    form = {"To": NUMBER, "From": "+15005550006", "Body": "Hello", **fields}
    response = await to_twilio.post(MESSAGES, data=form, auth=LOGIN)

    assert (response.status_code, response.json()["code"]) == (400, code)


@pytest.mark.parametrize("auth", [("", ""), (twilio.ACCOUNT_SID, "wrong"), ("AC1", twilio.AUTH_TOKEN)])
async def test_twilio_asks_for_a_login(to_twilio: httpx.AsyncClient, auth: tuple[str, str]) -> None:
    response = await to_twilio.post(MESSAGES, data={"To": NUMBER, "From": "a", "Body": "b"}, auth=auth)

    assert (response.status_code, response.json()["code"]) == (401, 20003)


async def test_twilio_calls_back_signed_and_in_order(to_twilio: httpx.AsyncClient, listener: HttpServer) -> None:
    url = f"{listener.url}/status/abc?x=1"
    await text(to_twilio, StatusCallback=url)
    calls = await arrived(listener, 2)
    forms = [dict(parse_qsl(call.body.decode())) for call in calls]

    assert [form["MessageStatus"] for form in forms] == ["sent", "delivered"]
    for call, form in zip(calls, forms, strict=True):
        assert RequestValidator(twilio.AUTH_TOKEN).validate(url, form, call.headers["x-twilio-signature"])


async def test_receipts_are_told_as_a_fault_says(to_twilio: httpx.AsyncClient, listener: HttpServer) -> None:
    receipts = [{"status": "delivered"}, {"status": "sent"}, {"status": "undelivered", "code": 30003}]
    await to_twilio.post("faults", json={"receipts": receipts, "times": 1})
    await text(to_twilio, StatusCallback=listener.url + "/status/abc")
    forms = [dict(parse_qsl(call.body.decode())) for call in await arrived(listener, 3)]

    assert [form["MessageStatus"] for form in forms] == ["delivered", "sent", "undelivered"]
    assert forms[2]["ErrorCode"] == "30003"


async def test_a_burst_of_refusals_ends(to_twilio: httpx.AsyncClient) -> None:
    await to_twilio.post("faults", json={"status": 429, "code": 20429, "retry_after_seconds": 9, "times": 2})
    answers = [await text(to_twilio) for _ in range(3)]

    assert [answer.status_code for answer in answers] == [429, 429, 201]
    assert answers[0].headers["retry-after"] == "9"


async def test_a_dropped_text_was_taken(to_twilio: httpx.AsyncClient) -> None:
    with pytest.raises(httpx.RemoteProtocolError):
        await text(to_twilio, "+15005550408")

    assert (await to_twilio.get("counts")).json()["by_recipient"] == {"+15005550408": 1}


async def test_stop_is_kept_by_twilio_too(to_twilio: httpx.AsyncClient, listener: HttpServer) -> None:
    await text(to_twilio, StatusCallback=listener.url + "/status/abc")
    await arrived(listener, 2)
    stop = await to_twilio.post("inbound", json={"sender": NUMBER, "text": "stop"})
    refused = await text(to_twilio)
    await to_twilio.post("inbound", json={"sender": NUMBER, "text": "START"})

    assert stop.json() == {"status": 200}
    assert listener.received[2].target == "/inbound"
    assert refused.json()["code"] == 21610
    assert (await text(to_twilio)).status_code == 201


async def test_vonage_answers_for_each_part(to_vonage: httpx.AsyncClient, listener: HttpServer) -> None:
    parts = await vonage_text(to_vonage, text="a" * 200, callback=listener.url + "/status", **{"client-ref": "ref"})
    calls = [dict(parse_qsl(call.body.decode())) for call in await arrived(listener, 4)]

    assert [part["status"] for part in parts] == ["0", "0"]
    assert [call["status"] for call in calls] == ["accepted", "accepted", "delivered", "delivered"]
    assert {call["messageId"] for call in calls} == {part["message-id"] for part in parts}
    assert all(call["client-ref"] == "ref" for call in calls)
    assert all(signature(call, vonage.SIGNATURE_SECRET) == call["sig"] for call in calls)


@pytest.mark.parametrize(("number", "status"), [("+15005552001", "1"), ("+15005552007", "7"), ("+15005552033", "33")])
async def test_numbers_of_vonage_fail_as_they_end(to_vonage: httpx.AsyncClient, number: str, status: str) -> None:
    [part] = await vonage_text(to_vonage, number)

    assert part["status"] == status
    assert part["error-text"]


async def test_vonage_takes_a_text_in_part(to_vonage: httpx.AsyncClient) -> None:
    await to_vonage.post("faults", json={"code": 1, "partly": True})
    parts = await vonage_text(to_vonage, text="a" * 400)

    assert [part["status"] for part in parts] == ["0", "1", "1"]


async def test_vonage_asks_for_a_login_and_for_all_it_needs(to_vonage: httpx.AsyncClient) -> None:
    form = {"to": "12025550143", "from": "Shop", "text": "x"}
    wrong = await to_vonage.post("sms/json", data=form, auth=("key", "wrong"))
    inside = await to_vonage.post("sms/json", json={**form, "api_key": KEY[0], "api_secret": KEY[1]})
    missing = await to_vonage.post("sms/json", data={**form, "text": ""}, auth=KEY)

    assert [each.json()["messages"][0]["status"] for each in (wrong, inside, missing)] == ["4", "0", "2"]


@pytest.mark.parametrize(
    "document",
    [{}, {"status": 200}, {"status": 429, "drop": True}, {"receipts": [{"code": 1}]}, {"unknown": 1}, []],
)
async def test_what_is_no_fault_is_refused_in_words(to_twilio: httpx.AsyncClient, document: Any) -> None:
    response = await to_twilio.post("faults", json=document)

    assert response.status_code == 422
    assert response.json()["errors"]


async def test_faults_and_texts_are_forgotten_when_asked(to_twilio: httpx.AsyncClient) -> None:
    builtin = len((await to_twilio.get("faults")).json()["faults"])
    await to_twilio.post("faults", json={"recipients": "+1*", "status": 500})
    assert (await text(to_twilio)).status_code == 500
    await to_twilio.delete("faults")
    await text(to_twilio)
    await to_twilio.delete("messages")

    assert len((await to_twilio.get("faults")).json()["faults"]) == builtin
    assert (await to_twilio.get("counts")).json() == {"total": 0, "kept": 0, "by_recipient": {}}


def test_what_was_added_comes_before_what_is_built_in() -> None:
    faults = Faults([Fault(recipients="+1*", status=500)])
    faults.add(Fault(recipients="+1202*", status=429, times=1))
    met = [faults.meet(number) for number in (NUMBER, NUMBER, "+4930")]

    assert [fault and fault.status for fault in met] == [429, 500, None]


@pytest.mark.parametrize("simulator", [twilio.simulator, vonage.simulator])
def test_a_demo_is_pointed_at_the_simulator(simulator: Simulator) -> None:
    assert simulator.overrides["http"] == {"public_url": "http://127.0.0.1:8080"}
    assert simulator.overrides["sms"] == {"routes": ["twilio", "vonage"]}
    assert simulator.overrides[simulator.name]["base_url"] == f"http://127.0.0.1:{PORT}/{simulator.name}"
