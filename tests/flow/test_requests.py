"""Clients of the log: what they ask for is delivered or a dead letter, and what they read is what the AsyncAPI says."""

import base64
from pathlib import Path
from typing import Any

import pytest

from simulators.smtp.faults import Fault, Reply
from tests.support.asyncapi import Messages
from tests.support.gateways import NOTIFICATION, Gateway, running
from tests.support.requesting import bare, binary, structured
from tests.support.tap import Tap, tapped
from tocsin import envelope, topics
from tocsin.lifecycle import Event
from tocsin.record import Received

# Nothing sends these yet, or not over email alone.
RESERVED = {
    Event.CANCELLED,
    Event.ROUTE_CHANGED,
    Event.ROUTE_SHIFTED,
    Event.ROUTE_SECRETS_ROTATED,
    *(each for each in Event if each.startswith("tocsin.receipt.")),
}
NOT_JSON = b"\xff not json"


@pytest.fixture
def tap(monkeypatch: pytest.MonkeyPatch) -> Tap:
    return tapped(monkeypatch)


def asked(order: str, **changes: Any) -> dict[str, Any]:
    """Return a notification that can be found by its order."""
    return {**NOTIFICATION, "metadata": {"order_id": order}, **changes}


async def found(gateway: Gateway, order: str, state: str) -> str:
    """Return the id of the notification of an order once it has a state."""

    def reached(page: dict[str, Any]) -> bool:
        return [each["state"] for each in page["notifications"]] == [state]

    page = await gateway.until(f"/v1/notifications?metadata.order_id={order}", reached)
    notification: str = page["notifications"][0]["id"]
    return notification


async def letters(gateway: Gateway, query: str, count: int) -> list[dict[str, Any]]:
    """Return the dead letters of a query once there are so many."""
    page = await gateway.until(f"/v1/dlq?{query}", lambda page: len(page["items"]) >= count)
    items: list[dict[str, Any]] = page["items"]
    return items


async def post(gateway: Gateway, path: str, **body: Any) -> dict[str, Any]:
    """Post what must work."""
    response = await gateway.client.post(path, json=body)
    assert response.is_success, response.text
    answer: dict[str, Any] = response.json()
    return answer


async def test_requests_of_each_mode_are_delivered_once(tmp_path: Path, tap: Tap) -> None:
    async with running(tmp_path) as gateway:
        await tap.write(bare(asked("1")), binary(asked("2"), id="2"), structured(asked("3"), id="3"))
        await tap.write(structured(asked("2"), id="2"), binary(asked("3"), id="3"))
        for order in ("1", "2", "3"):
            await found(gateway, order, "delivered")
        ready = (await gateway.client.get("/readyz")).json()
        await gateway.until("/readyz", lambda told: told["status"] == "ready")
        metrics = (await gateway.client.get("/metrics")).text

        assert gateway.mailbox.total == 3
        assert ready["checks"]["producer.requests"] == {"ok": True, "detail": ""}
        assert 'tocsin_requests_total{outcome="accepted"} 3.0' in metrics


async def test_a_refused_request_is_a_dead_letter_with_its_bytes_and_can_be_discarded(tmp_path: Path, tap: Tap) -> None:
    async with running(tmp_path) as gateway:
        await tap.write(bare(NOT_JSON, headers=(("x", b"\xfe"),), key=b"k"), bare(asked("1")))
        await found(gateway, "1", "delivered")
        [letter] = await letters(gateway, "channel=requests", 1)
        whole = (await gateway.client.get(f"/v1/dlq/{letter['id']}")).json()
        discarded = await post(gateway, f"/v1/dlq/{letter['id']}/discard")
        again = await gateway.client.post(f"/v1/dlq/{letter['id']}/replay")

        assert (letter["reason"], letter["delivery_id"], letter["replayable"]) == ("undecodable", None, True)
        assert (base64.b64decode(whole["body_base64"]), whole["key"]) == (NOT_JSON, "k")
        assert whole["headers"][0] == {"name": "x", "value_base64": base64.b64encode(b"\xfe").decode()}
        assert whole["origin"]["topic"] == topics.REQUESTS
        assert discarded["state"] == "discarded"
        assert again.status_code == 409


async def test_a_request_that_was_refused_for_our_fault_is_delivered_once_it_is_replayed(
    tmp_path: Path, tap: Tap
) -> None:
    templates, data = tmp_path / "templates", tmp_path / "data"
    (templates / "other" / "en").mkdir(parents=True)
    (templates / "other" / "en" / "email.subject.txt").write_text("x")
    (templates / "other" / "en" / "email.text.txt").write_text("x")
    async with running(data, templates={"root": str(templates)}) as gateway:
        await tap.write(bare(asked("1")), structured(asked("2")))
        ids = [letter["id"] for letter in await letters(gateway, "reason=invalid", 2)]
    async with running(data) as gateway:
        answers = [await post(gateway, f"/v1/dlq/{letter}/replay") for letter in ids]
        for order in ("1", "2"):
            await found(gateway, order, "delivered")
        twice = await gateway.client.post(f"/v1/dlq/{ids[0]}/replay")

        assert [answer["state"] for answer in answers] == ["replayed", "replayed"]
        assert twice.status_code == 409
        assert gateway.mailbox.total == 2


async def test_every_record_of_the_audit_is_what_the_asyncapi_says(tmp_path: Path, tap: Tap) -> None:
    async with running(tmp_path, speed=50) as gateway:
        await _everything(gateway, tap)
        published = (await gateway.client.get("/asyncapi.json")).json()
        records = await tap.read(topics.AUDIT)
        messages = Messages(published, "audit")

        assert {envelope.audit_event(record.value).type for record in records} == set(Event) - RESERVED
        assert [faults for record in records if (faults := _faults(messages, record))] == []
        for record in records:
            event = envelope.audit_event(record.value)
            assert messages.of(record) == [event.type]
            assert record.key == (event.notification_id or event.id).encode()


async def test_what_is_taken_from_the_topic_is_what_the_asyncapi_says(tmp_path: Path, tap: Tap) -> None:
    async with running(tmp_path) as gateway:
        await tap.write(bare(asked("1")), binary(asked("2")), structured(asked("3"), id="3"), bare(b"{}"))
        for order in ("1", "2", "3"):
            await found(gateway, order, "delivered")
        messages = Messages((await gateway.client.get("/asyncapi.json")).json(), "requests")
        kinds = sorted(kind for record in await tap.read(topics.REQUESTS) for kind in messages.of(record))

        assert kinds == ["bareRequest", "binaryRequest", "structuredRequest"]


async def test_the_document_is_closed_with_the_others(tmp_path: Path) -> None:
    async with running(tmp_path, http={"docs_open": False}) as gateway:
        assert (await gateway.client.get("/asyncapi.json")).status_code == 404


def _faults(messages: Messages, record: Received) -> list[str]:
    return list(messages.faults(record, envelope.audit_event(record.value).type))


async def _suppress(gateway: Gateway) -> None:
    """Have a notification suppressed, and lift that and what was refused, which can be sent to again."""
    await post(gateway, "/v1/suppressions", channel="email", address="bob@example.test")
    state = ""
    while state != "suppressed":  # it takes those who send a moment to know
        answer = await gateway.submit(recipient={"email": "bob@example.test"})
        state = (await gateway.ended(answer["id"]))["state"]
    found = await gateway.until("/v1/suppressions", lambda page: len(page["items"]) == 3)
    for each in found["items"]:
        assert (await gateway.client.delete(f"/v1/suppressions/{each['id']}")).is_success


async def _everything(gateway: Gateway, tap: Tap) -> None:
    """Do all that makes an event."""
    reply = Reply(code=550, enhanced="5.1.1", text="No such user")
    gateway.faults.add(Fault(recipients="refused-*", phase="rcpt", reply=reply))
    greylisted = {"email": "greylist@example.test"}
    await tap.write(
        bare(asked("delivered")),
        binary(asked("late", recipient=greylisted)),
        structured(asked("expired", recipient={"email": "greylist+2@example.test"}, expires_in=3), id="3"),
        bare(NOT_JSON),
        binary(asked("wrong", channels=["pigeon"]), id="4"),
    )
    refused = await gateway.submit(recipient={"email": "refused-1@example.test"})
    other = await gateway.submit(recipient={"email": "refused-2@example.test"})
    for order, state in (("delivered", "delivered"), ("late", "delivered"), ("expired", "expired")):
        await found(gateway, order, state)
    for answer in (refused, other):
        await gateway.ended(answer["id"])
    first, second = await letters(gateway, "channel=email", 2)
    await _suppress(gateway)
    one, another = await letters(gateway, "channel=requests", 2)
    await gateway.client.get(f"/v1/dlq/{one['id']}")
    await post(gateway, f"/v1/dlq/{first['id']}/replay")
    await post(gateway, f"/v1/dlq/{second['id']}/discard")
    await post(gateway, f"/v1/dlq/{another['id']}/replay")
    await post(gateway, f"/v1/dlq/{one['id']}/discard")
    key = await post(gateway, "/v1/keys", name="shop", scopes=["submit"])
    assert (await gateway.client.delete(f"/v1/keys/{key['id']}")).is_success
    # The replays end as dead letters once more.
    await letters(gateway, "channel=requests", 3)
    await letters(gateway, "channel=email", 3)
