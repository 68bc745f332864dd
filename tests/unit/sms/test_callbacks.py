"""What providers call back with: believed for its signature, and told once however often and in whatever order."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from channels.sms import callbacks
from channels.sms.inbox import Inbox
from channels.sms.reference import References
from channels.sms.vonage_callbacks import signature
from tests.support.clock import ManualClock
from tests.support.recording import FULL, Recorder
from tests.unit.sms.calling import PUBLIC, SECTIONS, SIGNATURE, TOKEN, Called, calling, opt_out, signed
from tests.unit.sms.conftest import NUMBER
from tests.unit.web.support import slug
from tocsin import schemas
from tocsin.lifecycle import Event
from tocsin.receipts import Verdict
from tocsin.runtime.discover import setting_sections
from tocsin.settings.load import load
from tocsin.validation import Schema


@pytest.fixture
async def called(tmp_path: Path, clock: ManualClock) -> AsyncIterator[Called]:
    async with calling(tmp_path, clock) as made:
        yield made


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


@pytest.mark.parametrize(
    ("status", "code", "arrived"),
    [
        ("delivered", "", [True]),
        ("undelivered", "30008", [False]),
        ("undelivered", "30003", []),
        ("undelivered", "30005", []),
        ("undelivered", "30007", []),
        ("failed", "99999", []),
        ("sent", "", []),
    ],
)
async def test_a_failure_is_the_providers_where_its_code_says_so(
    called: Called, status: str, code: str, arrived: list[bool]
) -> None:
    await called.twilio(status, ErrorCode=code)
    events = called.recorder.events
    schema = schemas.document("audit-event")["$defs"]

    assert called.verdicts == [Verdict(channel="sms", provider="twilio", arrived=each) for each in arrived]
    assert [event.data.get("scope") for event in events if event.data.get("scope")] == ["route"] * arrived.count(False)
    assert not any(list(Schema(schema[event.type]).faults(event.data)) for event in events)


async def test_what_could_not_be_written_down_is_not_judged(called: Called) -> None:
    called.recorder.fails = FULL
    await called.twilio("delivered")

    assert called.verdicts == []


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
    path = "/v1/callbacks/twilio/status/" + References("guessed").write(called.reference, NUMBER)
    response = await called.post(path, {"MessageSid": "SM1", "To": NUMBER, "MessageStatus": "delivered"}, sign=TOKEN)

    assert response.status_code == 403


async def test_a_receipt_of_another_number_suppresses_nobody(called: Called) -> None:
    """Whoever has seen a reference, which stands in an URL or a log, cannot name a number of their choice with it."""
    by_twilio = await called.twilio("failed", To="+12025550199", ErrorCode="30005")
    told = {**called.vonage("failed"), "err-code": "9", "msisdn": "12025550199"}
    told["sig"] = signature(told, SIGNATURE)
    by_vonage = await called.client.post("/v1/callbacks/vonage/status", json=told)

    assert (by_twilio.status_code, by_vonage.status_code) == (403, 403)
    assert called.recorder.events == []


async def test_a_large_body_is_not_read(called: Called) -> None:
    response = await called.client.post("/v1/callbacks/twilio/inbound", content=b"a=" + b"b" * 70_000)

    assert response.status_code == 413


async def test_while_the_log_takes_nothing_the_provider_is_told_to_repeat(called: Called) -> None:
    called.recorder.fails = FULL
    assert (await called.twilio("delivered")).status_code == 503
    called.recorder.fails = None
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
    sections = {**SECTIONS, "http": {}}
    settings = load(setting_sections(), path=None, environ={}, overrides=sections)
    nothing: Any = None
    inbox = Inbox(publisher=Recorder(), suppressions=nothing, firsts=nothing, metrics=nothing, clock=ManualClock())

    assert callbacks.routes(settings, inbox, ManualClock()).routes == []
