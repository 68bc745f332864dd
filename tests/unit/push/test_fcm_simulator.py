"""The simulator: Google's routes as a client finds them, and the control beside them."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import httpx
import jwt
import pytest
from fastapi import FastAPI

from channels.push import fcm_account, fcm_request
from simulators.fcm import builtin, errors, simulator
from simulators.fcm.faults import Faults
from simulators.fcm.inbox import Inbox
from simulators.fcm.tokens import GRANT
from tests.support.clock import ManualClock
from tests.support.waiting import until
from tests.unit.push.fcm_peer import NOW, push, service_account

SEND = "v1/projects/tocsin-demo/messages:send"
NOW_SECONDS = int(NOW.timestamp())
CLAIMS = {
    "iss": "simulator@tocsin-demo.iam.gserviceaccount.com",
    "scope": "https://www.googleapis.com/auth/firebase.messaging",
    "aud": "https://oauth2.googleapis.com/token",
    "iat": NOW_SECONDS,
    "exp": NOW_SECONDS + 3600,
}


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW)


@pytest.fixture
def inbox(clock: ManualClock) -> Inbox:
    return Inbox(now=clock.now)


@pytest.fixture
async def http(clock: ManualClock, inbox: Inbox) -> AsyncIterator[httpx.AsyncClient]:
    routes = simulator.routes(
        service_account(), inbox=inbox, faults=Faults(builtin.faults()), clock=clock, randbytes=bytes
    )
    app = FastAPI()
    app.include_router(routes, prefix="/fcm")
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://simulator.test/fcm/") as client:
        yield client


async def grant(http: httpx.AsyncClient, assertion: str, grant_type: str = GRANT) -> httpx.Response:
    return await http.post("token", data={"grant_type": grant_type, "assertion": assertion})


async def send(http: httpx.AsyncClient, body: Any, path: str = SEND) -> httpx.Response:
    """Send a message with a token that was got for it."""
    granted = await grant(http, fcm_account.parse(service_account().document()).assertion(NOW))
    headers = {"Authorization": f"Bearer {granted.json()['access_token']}"}
    if isinstance(body, bytes):
        return await http.post(path, content=body, headers=headers)
    return await http.post(path, json=body, headers=headers)


def signed(kid: str = service_account().key_id, **changes: Any) -> str:
    return jwt.encode(CLAIMS | changes, service_account().key, algorithm="RS256", headers={"kid": kid})


async def test_what_our_provider_sends_is_taken_and_shown(http: httpx.AsyncClient) -> None:
    answer = await send(http, fcm_request.body(push(), NOW))
    [listed] = (await http.get("messages")).json()["messages"]
    page = (await http.get("")).text

    assert (answer.status_code, answer.json()["name"]) == (200, listed["name"])
    assert (listed["token"], listed["at"]) == ("device-1", "2030-01-01T00:00:00.000Z")
    assert listed["message"]["notification"] == {"title": "Order 1001", "body": "It is on its way."}
    assert "It is on its way." in page


async def test_a_jwt_of_another_library_is_good_too(http: httpx.AsyncClient) -> None:
    answer = await grant(http, signed())

    assert answer.status_code == 200
    assert answer.json()["token_type"] == "Bearer"
    assert answer.json()["expires_in"] == 3599


@pytest.mark.parametrize(
    ("assertion", "error"),
    [
        ("", "invalid_grant"),
        ("a.b.c", "invalid_grant"),
        (signed()[:-4] + "AAAA", "invalid_grant"),
        (signed(kid="another"), "invalid_grant"),
        (signed(iss="somebody@else"), "invalid_grant"),
        (signed(aud="https://example.com/token"), "invalid_grant"),
        (signed(scope="https://www.googleapis.com/auth/drive"), "invalid_scope"),
        (signed(exp=NOW_SECONDS + 7200), "invalid_grant"),
        (signed(iat=NOW_SECONDS - 7200, exp=NOW_SECONDS - 3600), "invalid_grant"),
        (signed(iat=NOW_SECONDS + 3600, exp=NOW_SECONDS + 7200), "invalid_grant"),
        (signed(exp=None), "invalid_grant"),
    ],
    # The key is of this process, and so are its assertions.
    ids=[
        *("empty", "no-token", "another-signature", "another-key", "another-issuer", "another-audience"),
        *("another-scope", "too-long", "over", "not-yet", "no-end"),
    ],
)
async def test_an_assertion_that_google_would_refuse(http: httpx.AsyncClient, assertion: str, error: str) -> None:
    answer = await grant(http, assertion)

    assert (answer.status_code, answer.json()["error"]) == (400, error)


async def test_another_grant_is_refused(http: httpx.AsyncClient) -> None:
    assert (await grant(http, signed(), "password")).json()["error"] == "unsupported_grant_type"


async def test_a_token_ends_after_an_hour_or_when_it_is_revoked(http: httpx.AsyncClient, clock: ManualClock) -> None:
    body = {"message": {"token": "device-1"}}
    headers = {"Authorization": f"Bearer {(await grant(http, signed())).json()['access_token']}"}
    statuses = [(await http.post(SEND, json=body, headers=headers)).status_code]
    await http.delete("tokens")
    statuses.append((await http.post(SEND, json=body, headers=headers)).status_code)
    await grant(http, signed())
    statuses.append((await http.post(SEND, json=body, headers=headers)).status_code)
    clock.advance(timedelta(hours=1))
    late = await http.post(SEND, json=body, headers=headers)

    assert statuses == [200, 401, 200]
    assert late.json()["error"]["status"] == "UNAUTHENTICATED"


@pytest.mark.parametrize(
    ("token", "status", "code"),
    [
        ("unregistered-1", 404, "UNREGISTERED"),
        ("invalid-1", 400, "INVALID_ARGUMENT"),
        ("mismatch-1", 403, "SENDER_ID_MISMATCH"),
        ("third-party-1", 401, "THIRD_PARTY_AUTH_ERROR"),
        ("quota-1", 429, "QUOTA_EXCEEDED"),
        ("unavailable-1", 503, "UNAVAILABLE"),
        ("internal-1", 500, "INTERNAL"),
    ],
)
async def test_a_token_names_its_fault(
    http: httpx.AsyncClient, inbox: Inbox, token: str, status: int, code: str
) -> None:
    answer = await send(http, {"message": {"token": token}})
    [detail] = answer.json()["error"]["details"]

    assert (answer.status_code, detail["errorCode"]) == (status, code)
    assert detail["@type"] == "type.googleapis.com/google.firebase.fcm.v1.FcmError"
    assert inbox.total == 0


@pytest.mark.parametrize(
    ("message", "field"),
    [
        (None, "message"),
        ({"token": 7}, "message.token"),
        ({"token": "x", "data": {"n": 12}}, "message.data[0].value"),
        ({"token": "x", "data": []}, "message.data"),
        ({"token": "x", "collapse_id": "y"}, "message"),
        ({"token": "x", "notification": {"text": "y"}}, "message.notification"),
        ({"token": "x", "notification": "y"}, "message.notification"),
        ({"token": "x", "android": {"ttl": 60}}, "message.android.ttl"),
        ({"token": "x", "android": {"ttl": "2419201s"}}, "message.android.ttl"),
        ({"token": "x", "android": {"priority": "urgent"}}, "message.android.priority"),
    ],
)
async def test_what_is_no_message_is_a_bad_request(http: httpx.AsyncClient, message: Any, field: str) -> None:
    error = (await send(http, {"message": message})).json()["error"]

    assert (error["code"], error["status"]) == (400, "INVALID_ARGUMENT")
    assert [each["field"] for each in error["details"][0]["fieldViolations"]] == [field]


@pytest.mark.parametrize(
    "message",
    [
        {},
        {"token": "x", "topic": "y"},
        {"token": "x", "data": {"from": "y"}},
        {"token": "x", "data": {"gcm.x": "y"}},
        {"token": "x", "notification": {"title": "y" * 4097}},
    ],
)
async def test_what_fcm_itself_refuses_of_a_message(http: httpx.AsyncClient, message: Any) -> None:
    error = (await send(http, {"message": message})).json()["error"]

    assert error["details"][0]["errorCode"] == "INVALID_ARGUMENT"


async def test_what_is_not_json_and_what_is_for_another_project(http: httpx.AsyncClient) -> None:
    assert (await send(http, b"\xff{")).json()["error"]["status"] == "INVALID_ARGUMENT"
    denied = await send(http, {"message": {"token": "x"}}, "v1/projects/other/messages:send")
    assert (denied.status_code, denied.json()["error"]["status"]) == (403, "PERMISSION_DENIED")


async def test_a_fault_is_put_in_force_used_up_and_taken_back(http: httpx.AsyncClient) -> None:
    fault = {"tokens": "device-*", "error": "QUOTA_EXCEEDED", "retry_after_seconds": 30, "times": 1}
    added = await http.post("faults", json=fault)
    answers = [await send(http, {"message": {"token": "device-1"}}) for _ in range(2)]
    listed = (await http.get("faults")).json()["faults"]
    await http.delete("faults")

    assert added.status_code == 201
    assert [answer.status_code for answer in answers] == [429, 200]
    assert answers[0].headers["retry-after"] == "30"
    assert (listed[0]["applied"], listed[0]["builtin"], listed[1]["builtin"]) == (1, False, True)
    assert all(each["builtin"] for each in (await http.get("faults")).json()["faults"])


async def test_a_late_answer_is_for_a_message_that_was_taken(
    http: httpx.AsyncClient, inbox: Inbox, clock: ManualClock
) -> None:
    await http.post("faults", json={"delay_seconds": 5})
    sending = asyncio.create_task(send(http, {"message": {"token": "device-1"}}))
    await until(clock.next_due, what="the answer to be held back")
    before = inbox.total
    clock.advance(timedelta(seconds=5))

    assert before == 1
    assert (await sending).status_code == 200


@pytest.mark.parametrize(
    ("body", "status", "pointer"),
    [
        (b"{", 400, ""),
        (b"{}", 422, ""),
        (b'{"error": "NOPE"}', 422, "/error"),
        (b'{"error": "INTERNAL", "times": 0}', 422, "/times"),
        (b'{"delay_seconds": 1, "retry_after_seconds": 1}', 422, ""),
        (b'{"error": "INTERNAL", "drop": true}', 422, ""),
        (b'{"delay_second": 1}', 422, ""),
    ],
)
async def test_a_fault_that_is_none_is_refused(http: httpx.AsyncClient, body: bytes, status: int, pointer: str) -> None:
    answer = await http.post("faults", content=body)

    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert answer.json()["errors"][0]["pointer"] == pointer


async def test_messages_are_found_by_device_and_forgotten(http: httpx.AsyncClient) -> None:
    for token in ("a", "b", "a"):
        await send(http, {"message": {"token": token}})
    of_a = (await http.get("messages", params={"token": "a", "limit": 1})).json()["messages"]
    counts = (await http.get("counts")).json()
    await http.delete("messages")

    assert [each["id"] for each in of_a] == [3]
    assert counts == {"total": 3, "by_token": {"a": 2, "b": 1}, "tokens_granted": 3}
    assert (await http.get("messages")).json() == {"messages": []}


def test_the_oldest_message_makes_room_but_stays_counted() -> None:
    inbox = Inbox(now=lambda: NOW, most=2)
    for token in ("a", "b", "c"):
        inbox.receive("p", {"token": token})

    assert ([each.token for each in inbox.newest()], inbox.total) == (["c", "b"], 3)


async def test_what_a_message_says_stays_text(http: httpx.AsyncClient) -> None:
    hostile = "<script>alert('x')</script>"
    await send(http, {"message": {"token": "x", "notification": {"title": hostile, "body": hostile}}})
    page = await http.get("")

    assert "<script" not in page.text
    assert page.headers["content-security-policy"].startswith("default-src 'none'")


async def test_a_demo_has_the_account_that_the_simulator_knows(clock: ManualClock) -> None:
    fcm = simulator.simulator.overrides["fcm"]
    async with simulator.simulator.open(clock) as router:
        app = FastAPI()
        app.include_router(router, prefix="/fcm")
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8190/fcm/") as http:
            handed_out = (await http.get("service-account.json")).text
            granted = await grant(http, fcm_account.parse(fcm["credentials"]).assertion(NOW))

    assert list(simulator.simulator.overrides) == ["fcm"]
    assert handed_out == fcm["credentials"]
    assert granted.status_code == 200
    assert fcm["token_url"] == "http://127.0.0.1:8190/fcm/token"


def test_every_error_can_be_asked_for() -> None:
    assert {fault.error for fault in builtin.faults()} - {None} == set(errors.CODES)
