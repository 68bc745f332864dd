"""The simulators of SES and Resend: the providers' own paths, words and headers, faults, and idempotency."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from channels.email import sigv4
from simulators.mail.faults import Fault, Faults
from simulators.resend.idempotency import Conflict, Keys
from simulators.resend.simulator import API_KEY
from simulators.resend.simulator import simulator as resend
from simulators.ses.api import rewritten
from simulators.ses.simulator import ACCOUNT
from simulators.ses.simulator import simulator as ses
from tests.support.clock import ManualClock
from tocsin.runtime.clock import SystemClock
from tocsin.runtime.service import Simulator
from tocsin.runtime.simulating import simulating

BODY = (
    b'{"Destination":{"ToAddresses":["%b"]},"Content":{"Raw":{"Data":"U3ViamVjdDogSGVsbG8NCg0KPHNjcmlwdD54DQo="}},'
    b'"FeedbackForwardingEmailAddress":"b@shop.example"}'
)
EMAIL: dict[str, Any] = {"from": "Shop <a@shop.example>", "to": ["ada@example.test"], "subject": "Hi", "text": "Hi"}
LOGIN = {"Authorization": f"Bearer {API_KEY}", "User-Agent": "test"}


@asynccontextmanager
async def opened(simulator: Simulator) -> AsyncIterator[httpx.AsyncClient]:
    async with (
        simulating([simulator], clock=SystemClock(), port=0) as pages,
        httpx.AsyncClient(base_url=pages[simulator.name]) as client,
    ):
        yield client


@pytest.fixture
async def to_ses() -> AsyncIterator[httpx.AsyncClient]:
    async with opened(ses) as client:
        yield client


@pytest.fixture
async def to_resend() -> AsyncIterator[httpx.AsyncClient]:
    async with opened(resend) as client:
        yield client


async def post(client: httpx.AsyncClient, body: bytes = BODY % b"ada@example.test", **changes: Any) -> httpx.Response:
    """Send to SES what our own code has signed, but for what a test changes in it."""
    now = changes.pop("now", datetime.now(UTC))
    given = {"access_key_id": ACCOUNT.access_key_id, "secret_access_key": ACCOUNT.secret_access_key}
    headers = sigv4.headers(
        method="POST",
        host=client.base_url.netloc.decode(),
        path="/ses/v2/email/outbound-emails",
        headers={"Content-Type": "application/json"},
        body=body,
        credentials=sigv4.Credentials(**given | changes.pop("credentials", {})),
        scope=sigv4.Scope(region=changes.pop("region", ACCOUNT.region), service="ses"),
        now=now,
    )
    return await client.post("v2/email/outbound-emails", content=changes.pop("sent", body), headers=headers)


async def test_ses_takes_what_is_signed(to_ses: httpx.AsyncClient) -> None:
    response = await post(to_ses)
    [kept] = (await to_ses.get("messages")).json()["messages"]
    page = await to_ses.get("")

    assert response.status_code == 200
    assert response.json()["MessageId"] in kept["message_id"]
    assert response.headers["x-amzn-requestid"]
    assert (kept["recipients"], kept["subject"], kept["mail_from"]) == (["ada@example.test"], "Hello", "b@shop.example")
    assert "<script>" not in page.text
    assert "ada@example.test" in page.text


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"credentials": {"secret_access_key": "wrong"}}, "InvalidSignatureException"),
        ({"credentials": {"access_key_id": "AKIAOTHER"}}, "UnrecognizedClientException"),
        ({"region": "us-east-1"}, "InvalidSignatureException"),
        ({"sent": BODY % b"eve@example.test"}, "InvalidSignatureException"),
        ({"now": datetime(2020, 1, 1, tzinfo=UTC)}, "InvalidSignatureException"),
    ],
)
async def test_ses_takes_nothing_else(to_ses: httpx.AsyncClient, changes: dict[str, Any], error: str) -> None:
    response = await post(to_ses, **changes)

    assert (response.status_code, response.headers["x-amzn-errortype"]) == (403, error)
    assert (await to_ses.get("counts")).json()["total"] == 0


async def test_ses_refuses_what_is_no_mail(to_ses: httpx.AsyncClient) -> None:
    unsigned = await to_ses.post("v2/email/outbound-emails", content=b"{}")
    empty = await post(to_ses, b"{}")
    nowhere = await post(to_ses, BODY % "ä@example.test".encode())

    assert unsigned.headers["x-amzn-errortype"] == "MissingAuthenticationTokenException"
    assert [(each.status_code, each.headers["x-amzn-errortype"]) for each in (empty, nowhere)] == [
        (400, "BadRequestException"),
        (400, "BadRequestException"),
    ]


async def test_ses_misbehaves_for_addresses_that_say_so(to_ses: httpx.AsyncClient) -> None:
    quota = await post(to_ses, BODY % b"quota@example.test")
    with pytest.raises(httpx.RemoteProtocolError):
        await post(to_ses, BODY % b"drop@example.test")
    counts = (await to_ses.get("counts")).json()

    assert (quota.status_code, quota.json()) == (429, {"message": "Daily message quota exceeded."})
    assert counts["by_recipient"] == {"drop@example.test": 1}


def test_ses_writes_date_and_message_id_anew() -> None:
    raw = b"Date: then\r\nFrom: a@b.example\r\nMessage-ID:\r\n <1@b.example>\r\nTo: c@d.example\r\n\r\nDate: now\r\n"
    found = rewritten(raw, name="0100-1", at=datetime(2030, 1, 1, tzinfo=UTC))

    assert found == (
        b"Message-ID: <0100-1@email.amazonses.com>\r\nDate: Tue, 01 Jan 2030 00:00:00 +0000\r\n"
        b"From: a@b.example\r\nTo: c@d.example\r\n\r\nDate: now\r\n"
    )


async def test_resend_takes_a_key_once(to_resend: httpx.AsyncClient) -> None:
    headers = LOGIN | {"Idempotency-Key": "1"}
    first = await to_resend.post("emails", json=EMAIL, headers=headers)
    again = await to_resend.post("emails", json=EMAIL, headers=headers)
    other = await to_resend.post("emails", json=EMAIL | {"subject": "Other"}, headers=headers)
    bare = await to_resend.post("emails", json=EMAIL, headers=LOGIN)

    assert (first.status_code, again.status_code, bare.status_code) == (200, 200, 200)
    assert first.json() == again.json() != bare.json()
    assert (other.status_code, other.json()["name"]) == (409, "invalid_idempotent_request")
    assert (await to_resend.get("counts")).json()["total"] == 2


async def test_resend_forgets_the_key_of_a_refusal(to_resend: httpx.AsyncClient) -> None:
    await to_resend.post("faults", json={"status": 500, "error": "application_error", "times": 1})
    headers = LOGIN | {"Idempotency-Key": "1"}
    statuses = [(await to_resend.post("emails", json=EMAIL, headers=headers)).status_code for _ in range(2)]

    assert statuses == [500, 200]


def test_a_key_is_kept_for_24_hours() -> None:
    clock = ManualClock()
    keys = Keys(now=clock.now)
    begun = [keys.begin("1", b"a"), keys.begin("1", b"a")]
    keys.end("1", "id")
    clock.advance(timedelta(hours=23, minutes=59))
    known = [keys.begin("1", b"a"), keys.begin("1", b"b")]
    clock.advance(timedelta(minutes=1))

    assert begun == [None, Conflict.CONCURRENT]
    assert known == ["id", Conflict.MODIFIED]
    assert keys.begin("1", b"b") is None


@pytest.mark.parametrize(
    ("headers", "changes", "status", "name"),
    [
        ({"User-Agent": "test"}, {}, 401, "missing_api_key"),
        ({"User-Agent": "test", "Authorization": "Bearer re_other"}, {}, 403, "invalid_api_key"),
        (LOGIN | {"Idempotency-Key": "x" * 257}, {}, 400, "invalid_idempotency_key"),
        (LOGIN, {"to": ["ä@example.test"]}, 422, "validation_error"),
        (LOGIN, {"text": None}, 422, "validation_error"),
        (LOGIN, {"subject": None}, 422, "missing_required_field"),
        (LOGIN, {"to": ["danger@example.test"]}, 451, "security_error"),
    ],
)
async def test_resend_refuses_as_resend_does(
    *, to_resend: httpx.AsyncClient, headers: dict[str, str], changes: dict[str, Any], status: int, name: str
) -> None:
    response = await to_resend.post("emails", json=EMAIL | changes, headers=headers)

    assert (response.status_code, response.json()["name"], response.json()["statusCode"]) == (status, name, status)
    assert (await to_resend.get("counts")).json()["total"] == 0


async def test_resend_wants_a_user_agent(to_resend: httpx.AsyncClient) -> None:
    del to_resend.headers["user-agent"]
    response = await to_resend.post("emails", json=EMAIL, headers={"Authorization": LOGIN["Authorization"]})

    assert (response.status_code, response.text) == (403, "error code: 1010")


@pytest.mark.parametrize(
    ("document", "status"),
    [({"status": 200}, 422), ({"drop": True, "status": 429}, 422), ({}, 422), ({"statuss": 429}, 422), ("", 400)],
)
async def test_what_is_no_fault_is_refused(to_ses: httpx.AsyncClient, document: Any, status: int) -> None:
    response = await (to_ses.post("faults", content=b"{") if document == "" else to_ses.post("faults", json=document))

    assert response.status_code == status


def test_a_fault_is_used_up_and_comes_before_the_built_in_ones() -> None:
    faults = Faults((Fault(recipients="*@example.test", drop=True),))
    added = faults.add(Fault(recipients="ADA@*", status=429, times=1)).fault
    met = [faults.meet("ada@example.test"), faults.meet("ada@example.test"), faults.meet("ada@other.test")]
    faults.reset()

    assert met == [added, Fault(recipients="*@example.test", drop=True), None]
    assert [rule.applied for rule in faults] == [0]


@pytest.mark.parametrize("simulator", [ses, resend])
def test_a_demo_keeps_its_mail_on_smtp(simulator: Simulator) -> None:
    assert set(simulator.overrides) == {simulator.name}
