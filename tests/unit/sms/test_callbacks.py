"""What providers call back with: believed for its signature, and told once however often and in whatever order."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from twilio.request_validator import RequestValidator  # type: ignore[import-untyped] # it has no types

from channels.sms import callbacks
from channels.sms.inbox import Inbox
from channels.sms.reference import Reference, References
from channels.sms.vonage_callbacks import signature
from tests.support.clock import ManualClock
from tests.unit.sms.conftest import NUMBER, message
from tests.unit.web.support import Keys, slug
from tocsin import envelope
from tocsin.errors import LogUnavailable
from tocsin.lifecycle import AuditEvent, Event
from tocsin.observe.metrics import Metrics
from tocsin.record import Record
from tocsin.runtime.discover import setting_sections
from tocsin.settings.load import load
from tocsin.store.engine import open_store
from tocsin.store.migrate import upgrade
from tocsin.store.suppressions import Suppressions, Told
from tocsin.web.app import create_app
from tocsin.web.auth import Authenticator

TOKEN, SECRET, SIGNATURE = "auth-token", "api-secret", "signature-secret"
PUBLIC = "https://notify.example.com/tocsin"
SECTIONS: dict[str, dict[str, Any]] = {
    "sms": {"routes": ("twilio", "vonage"), "public_url": PUBLIC},
    "twilio": {"account_sid": "AC1", "auth_token": TOKEN, "sender": "Shop"},
    "vonage": {"api_key": "key", "api_secret": SECRET, "sender": "Shop", "signature_secret": SIGNATURE},
}


@dataclass
class Recorder:
    """A publisher that keeps what is written, or cannot."""

    events: list[AuditEvent] = field(default_factory=list)
    broken: bool = False

    async def write(self, records: Sequence[Record]) -> None:
        if self.broken:
            raise LogUnavailable("the disk is full")
        self.events.extend(envelope.audit_event(record.value) for record in records)


@dataclass(kw_only=True)
class Called:
    """The routes at work, and what came of calls."""

    client: httpx.AsyncClient
    recorder: Recorder
    suppressions: Suppressions
    reference: Reference
    clock: ManualClock
    metrics: Metrics

    async def twilio(self, status: str, *, sign: str | None = TOKEN, **fields: str) -> httpx.Response:
        """Have Twilio tell a status."""
        form = {"MessageSid": "SM1", "To": NUMBER, "MessageStatus": status, **fields}
        path = "/v1/callbacks/twilio/status/" + quote(References(TOKEN).write(self.reference), safe="")
        return await self.post(path, form, sign=sign)

    async def text(self, body: str, *, sid: str = "SM9", sign: str | None = TOKEN, **fields: str) -> httpx.Response:
        """Have somebody write to us through Twilio."""
        form = {"MessageSid": sid, "From": NUMBER, "Body": body, **fields}
        return await self.post("/v1/callbacks/twilio/inbound", form, sign=sign)

    async def post(self, path: str, form: Mapping[str, str], *, sign: str | None) -> httpx.Response:
        headers = {} if sign is None else {"X-Twilio-Signature": signed(sign, PUBLIC + path, form)}
        return await self.client.post(path, data=form, headers=headers)

    def vonage(self, status: str, **fields: str) -> dict[str, str]:
        """Return a delivery receipt, signed."""
        told = {
            "msisdn": NUMBER.removeprefix("+"),
            "messageId": "0C1",
            "status": status,
            "err-code": "0",
            "client-ref": References(SECRET).write(self.reference),
            **fields,
        }
        return {**told, "sig": signature(told, SIGNATURE)}


def signed(token: str, url: str, form: Mapping[str, str]) -> str:
    return str(RequestValidator(token).compute_signature(url, dict(form)))


@pytest.fixture
async def called(tmp_path: Path, clock: ManualClock) -> AsyncIterator[Called]:
    settings = load(setting_sections(), path=None, environ={}, overrides=SECTIONS)
    metrics, recorder = Metrics(version="1"), Recorder()
    sms = message(clock)
    async with open_store(f"sqlite:///{tmp_path / 'store.db'}") as store:
        await upgrade(store)
        suppressions = Suppressions(store=store, clock=clock)
        inbox = Inbox(publisher=recorder, suppressions=suppressions, metrics=metrics, clock=clock)
        app = create_app(
            title="Tocsin",
            version="1",
            routers=[callbacks.routes(settings, inbox)],
            metrics=metrics,
            authenticator=Authenticator(Keys(), monotonic=clock.monotonic),
            checks={},
            monotonic=clock.monotonic,
        )
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://inside:8080") as client:
            yield Called(
                client=client,
                recorder=recorder,
                suppressions=suppressions,
                reference=Reference.of(sms, f"{sms.delivery_id}:1"),
                clock=clock,
                metrics=metrics,
            )


async def test_a_receipt_names_the_life_that_it_is_about(called: Called) -> None:
    response = await called.twilio("delivered")
    [event] = called.recorder.events

    assert (response.status_code, response.content) == (204, b"")
    assert event.type is Event.RECEIPT_CONFIRMED
    assert (event.delivery_id, event.life) == (called.reference.delivery_id, 1)
    assert (event.notification_id, event.tenant) == (called.reference.notification_id, "default")
    assert event.data == {"channel": "sms", "provider": "twilio", "provider_id": "SM1", "code": "", "message": ""}


async def test_late_double_and_mixed_up_receipts_are_the_same_events(called: Called) -> None:
    for status in ("delivered", "sent", "delivered", "queued", "read", "delivered"):
        assert (await called.twilio(status)).status_code == 204
    told = {event.id: event.type for event in called.recorder.events}

    assert sorted(told.values()) == [Event.RECEIPT_CONFIRMED, Event.RECEIPT_READ]


@pytest.mark.parametrize(
    ("status", "code", "event", "address"),
    [
        ("undelivered", "30003", Event.RECEIPT_FAILED, None),
        ("undelivered", "30005", Event.RECEIPT_FAILED, NUMBER),
        ("failed", "21610", Event.RECEIPT_OPTED_OUT, NUMBER),
        ("failed", "", Event.RECEIPT_FAILED, None),
        ("canceled", "", Event.RECEIPT_FAILED, None),
        ("delivered", "30005", Event.RECEIPT_CONFIRMED, None),
    ],
)
async def test_a_failure_names_the_number_only_where_it_is_dead(
    called: Called, status: str, code: str, event: Event, address: str | None
) -> None:
    await called.twilio(status, ErrorCode=code, ErrorMessage=f"no {NUMBER}")
    [found] = called.recorder.events

    assert (found.type, found.data.get("address"), found.data["code"]) == (event, address, code)
    assert NUMBER not in found.data["message"]


async def test_an_unknown_code_of_a_failure_is_counted(called: Called) -> None:
    await called.twilio("failed", ErrorCode="99999")
    await called.twilio("failed", ErrorCode="30003")

    assert 'tocsin_unmapped_codes_total{channel="sms",provider="twilio"} 1.0' in called.metrics.render()[0].decode()


@pytest.mark.parametrize("sign", [None, "another-token"])
async def test_what_twilio_did_not_sign_is_refused(called: Called, sign: str | None) -> None:
    first = await called.twilio("delivered", sign=sign)
    second = await called.text("STOP", sign=sign)

    assert (first.status_code, second.status_code) == (403, 403)
    assert slug(first) == "forbidden"
    assert called.recorder.events == []


async def test_a_signature_is_of_the_public_url_and_of_every_field(called: Called) -> None:
    path = "/v1/callbacks/twilio/inbound"
    form = {"MessageSid": "SM9", "From": NUMBER, "Body": "STOP"}
    inside = {"X-Twilio-Signature": signed(TOKEN, "http://inside:8080" + path, form)}
    right = {"X-Twilio-Signature": signed(TOKEN, f"{PUBLIC}{path}?a=1", form)}

    assert (await called.client.post(path, data=form, headers=inside)).status_code == 403
    assert (await called.client.post(path, data=form, headers=right)).status_code == 403
    assert (await called.client.post(path + "?a=1", data={**form, "Body": "x"}, headers=right)).status_code == 403
    assert (await called.client.post(path + "?a=1", data=form, headers=right)).status_code == 204


async def test_a_reference_of_somebody_else_is_refused(called: Called) -> None:
    path = "/v1/callbacks/twilio/status/" + References("guessed").write(called.reference)
    response = await called.post(path, {"MessageSid": "SM1", "MessageStatus": "delivered"}, sign=TOKEN)

    assert response.status_code == 403


async def test_a_large_body_is_not_read(called: Called) -> None:
    response = await called.client.post("/v1/callbacks/twilio/inbound", content=b"a=" + b"b" * 70_000)

    assert response.status_code == 413


async def test_while_the_log_takes_nothing_the_provider_is_told_to_repeat(called: Called) -> None:
    called.recorder.broken = True
    assert (await called.twilio("delivered")).status_code == 503
    called.recorder.broken = False
    assert (await called.twilio("delivered")).status_code == 204


@pytest.mark.parametrize("body", ["STOP", " stop\n", "Unsubscribe", "QUIT"])
async def test_stop_is_an_opt_out_of_the_number(called: Called, body: str) -> None:
    await called.text(body)
    await called.text(body)
    first, second = called.recorder.events

    assert first.type is Event.RECEIPT_OPTED_OUT
    assert (first.data["address"], first.data["channel"]) == (NUMBER, "sms")
    assert first.delivery_id is None
    assert first.id == second.id


@pytest.mark.parametrize("body", ["HELP", "please stop", "hello", ""])
async def test_other_texts_change_nothing(called: Called, body: str) -> None:
    assert (await called.text(body)).status_code == 204
    assert called.recorder.events == []


async def test_twilios_own_word_for_it_comes_first(called: Called) -> None:
    await called.text("Arrêt", OptOutType="STOP")

    assert called.recorder.events[0].type is Event.RECEIPT_OPTED_OUT


async def test_start_takes_an_opt_out_back_and_nothing_else(called: Called) -> None:
    await opt_out(called, "opt_out")
    await called.text("START")

    assert await called.suppressions.reason("default", "sms", NUMBER) is None
    assert [event.type for event in called.recorder.events] == [Event.SUPPRESSION_LIFTED]

    await opt_out(called, "hard_bounce")
    await called.text("START", sid="SM10")

    assert await called.suppressions.reason("default", "sms", NUMBER) == "hard_bounce"
    assert len(called.recorder.events) == 1


async def opt_out(called: Called, reason: Any) -> None:
    at = called.clock.now()
    told = Told(tenant="default", channel="sms", address=NUMBER, reason=reason, source="twilio", at=at)
    await called.suppressions.add(told)


@pytest.mark.parametrize("how", ["get", "form", "json"])
async def test_vonage_tells_a_receipt_in_any_of_its_ways(called: Called, how: str) -> None:
    told, path = called.vonage("delivered"), "/v1/callbacks/vonage/status"
    if how == "get":
        response = await called.client.get(path, params=told)
    elif how == "form":
        response = await called.client.post(path, data=told)
    else:
        response = await called.client.post(path, json=told)
    [event] = called.recorder.events

    assert response.status_code == 204
    assert (event.type, event.delivery_id) == (Event.RECEIPT_CONFIRMED, called.reference.delivery_id)
    assert event.data["provider_id"] == "0C1"


@pytest.mark.parametrize(
    ("status", "code", "events", "address"),
    [
        ("accepted", "0", [], None),
        ("buffered", "0", [], None),
        ("expired", "2", [Event.RECEIPT_FAILED], None),
        ("failed", "3", [Event.RECEIPT_FAILED], NUMBER),
        ("rejected", "9", [Event.RECEIPT_OPTED_OUT], NUMBER),
    ],
)
async def test_vonages_statuses(
    called: Called, status: str, code: str, events: list[Event], address: str | None
) -> None:
    told = called.vonage(status, **{"err-code": code})
    await called.client.post("/v1/callbacks/vonage/status", json=told)

    assert [event.type for event in called.recorder.events] == events
    assert [event.data.get("address") for event in called.recorder.events] == [address][: len(events)]


@pytest.mark.parametrize("changes", [{"client-ref": "made-up"}, {"err-code": "9"}, {"sig": ""}, {"sig": "ü"}])
async def test_what_vonage_did_not_sign_is_refused(called: Called, changes: dict[str, str]) -> None:
    told = {**called.vonage("delivered"), **changes}
    response = await called.client.post("/v1/callbacks/vonage/status", json=told)

    assert response.status_code == 403
    assert called.recorder.events == []


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b'"x"', b"\xff", b"[" * 5000])
async def test_what_cannot_be_read_is_refused(called: Called, content: bytes) -> None:
    for kind in ("application/json", "application/x-www-form-urlencoded"):
        response = await called.client.post(
            "/v1/callbacks/vonage/status", content=content, headers={"Content-Type": kind}
        )

        assert response.status_code == 403


async def test_stop_through_vonage_needs_its_signature(called: Called) -> None:
    told = {"msisdn": NUMBER.removeprefix("+"), "to": "Shop", "text": "Stop & go=", "messageId": "0D1"}
    forged = await called.client.post("/v1/callbacks/vonage/inbound", json=told)
    stop = {**told, "text": "Stop"}
    await called.client.post("/v1/callbacks/vonage/inbound", json={**stop, "sig": signature(stop, SIGNATURE)})
    other = await called.client.post("/v1/callbacks/vonage/inbound", json={**told, "sig": signature(told, SIGNATURE)})

    assert (forged.status_code, other.status_code) == (403, 204)
    assert [event.data["address"] for event in called.recorder.events] == [NUMBER]


def test_without_a_public_url_there_are_no_routes() -> None:
    sections = {**SECTIONS, "sms": {"routes": ("twilio", "vonage")}}
    settings = load(setting_sections(), path=None, environ={}, overrides=sections)
    inbox = Inbox(publisher=Recorder(), suppressions=None, metrics=None, clock=ManualClock())  # type: ignore[arg-type]

    assert callbacks.routes(settings, inbox).routes == []
