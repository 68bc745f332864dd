"""The main job over real HTTP and real SMTP: what a client sees."""

import asyncio
import email
import email.policy
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from simulators.smtp.faults import Fault, Reply
from tests.support.backends import Backend
from tests.support.gateways import NOTIFICATION, Gateway, running
from tocsin import topics
from tocsin.delivery import Lane
from tocsin.eventlog.embedded.log import EmbeddedLog


async def test_a_notification_is_delivered_and_its_timeline_told(tmp_path: Path, backend: Backend) -> None:
    async with running(tmp_path, backend=backend) as gateway:
        answer = await gateway.submit()
        told = await gateway.ended(answer["id"])
        [mail] = gateway.mailbox.newest()
        parsed = email.message_from_bytes(mail.raw, policy=email.policy.default)

        assert answer["deliveries"][0]["state"] == "accepted"
        assert told["state"] == "delivered"
        assert [e["type"] for e in told["deliveries"][0]["lives"][0]["events"]] == [
            "tocsin.delivery.attempted",
            "tocsin.delivery.delivered",
        ]
        assert "1001" in parsed["Subject"]
        assert parsed["To"] == "ada@example.test"


async def test_a_greylisted_mail_is_retried_and_delivered(tmp_path: Path, backend: Backend) -> None:
    async with running(tmp_path, backend=backend, speed=50) as gateway:
        answer = await gateway.submit(recipient={"email": "greylist@example.test"})
        told = await gateway.ended(answer["id"])
        [life] = told["deliveries"][0]["lives"]

        assert told["state"] == "delivered"
        assert [e["data"]["outcome"] for e in life["events"] if "outcome" in e["data"]] == ["deferred", "delivered"]


async def test_a_refused_mail_is_a_dead_letter_and_can_be_replayed_once_mended(
    tmp_path: Path, backend: Backend
) -> None:
    async with running(tmp_path, backend=backend) as gateway:
        reply = Reply(code=550, enhanced="5.1.1", text="No such user")
        gateway.faults.add(Fault(recipients="ada@example.test", phase="rcpt", reply=reply, times=1))
        answer = await gateway.submit()
        await gateway.ended(answer["id"])
        [letter] = await _letters(gateway, 1)
        # To mend it is to lift the address as well: the refusal has suppressed it.
        suppressed = await gateway.until("/v1/suppressions", lambda found: bool(found["items"]))
        assert (await gateway.client.delete(f"/v1/suppressions/{suppressed['items'][0]['id']}")).is_success
        replayed = await gateway.client.post(f"/v1/dlq/{letter['id']}/replay")
        told = await gateway.until(f"/v1/notifications/{answer['id']}", lambda found: found["state"] == "delivered")
        item = await gateway.until(f"/v1/dlq/{letter['id']}", lambda found: found["replay_state"] is not None)

        assert (letter["reason"], letter["code"]) == ("rejected", "550 5.1.1")
        assert (replayed.status_code, replayed.json()["life"]) == (202, 1)
        assert [life["state"] for life in told["deliveries"][0]["lives"]] == ["dead", "delivered"]
        assert (item["state"], item["replay_state"]) == ("replayed", "delivered")


async def test_provider_accepts_then_closes_before_answering(tmp_path: Path, backend: Backend) -> None:
    """Scenario 13 over real SMTP."""
    async with running(tmp_path, backend=backend, speed=50, delivery={"at_most_once_categories": ("otp",)}) as gateway:
        twice = await gateway.submit(recipient={"email": "drop@example.test"})
        once = await gateway.submit(recipient={"email": "drop+otp@example.test"}, category="otp")
        told_twice, told_once = await gateway.ended(twice["id"]), await gateway.ended(once["id"])
        counts = gateway.mailbox.by_recipient

        assert counts["drop@example.test"] == 2
        assert counts["drop+otp@example.test"] == 1
        for told in (told_twice, told_once):
            events = told["deliveries"][0]["lives"][0]["events"]
            assert events[0]["data"]["outcome"] == "unconfirmed"
            assert told["deliveries"][0]["lives"][0]["reason"] == "outcome_unknown"


async def test_a_key_posted_a_hundred_times_at_once_is_one_notification(tmp_path: Path, backend: Backend) -> None:
    """Scenario 14."""
    headers = {"Idempotency-Key": "order-1001"}
    async with running(tmp_path, backend=backend) as gateway:
        posts = [gateway.client.post("/v1/notifications", json=NOTIFICATION, headers=headers) for _ in range(100)]
        first = await asyncio.gather(*posts)
        await gateway.ended(first[0].json()["id"])
    async with running(tmp_path, backend=backend) as gateway:
        again = await gateway.client.post("/v1/notifications", json=NOTIFICATION, headers=headers)
        other = {**NOTIFICATION, "data": {**NOTIFICATION["data"], "order": "1002"}}
        refused = await gateway.client.post("/v1/notifications", json=other, headers=headers)
        fresh = await gateway.submit()
        await gateway.ended(fresh["id"])

        assert {response.status_code for response in first} == {202}
        assert len({response.text for response in [*first, again]}) == 1
        assert (refused.status_code, refused.json()["type"]) == (422, "urn:tocsin:problem:idempotency-key-reused")
        assert gateway.mailbox.total == 1


async def test_a_batch_has_an_answer_for_each_item(tmp_path: Path, backend: Backend) -> None:
    good, bad = {**NOTIFICATION, "idempotency_key": "a"}, {**NOTIFICATION, "channels": ["pigeon"]}
    async with running(tmp_path, backend=backend) as gateway:
        mixed = await gateway.client.post("/v1/notifications/batch", json={"notifications": [good, bad, good]})
        fine = await gateway.client.post("/v1/notifications/batch", json={"notifications": [NOTIFICATION] * 100})
        results = mixed.json()["results"]
        await gateway.ended(fine.json()["results"][-1]["id"])

        assert (mixed.status_code, fine.status_code) == (207, 202)
        assert [result["status"] for result in results] == [202, 422, 202]
        assert results[0]["id"] == results[2]["id"]
        assert results[1]["errors"] == [{"pointer": "/channels/0", "detail": "must be one of email"}]


async def test_the_lanes_all_deliver(tmp_path: Path, backend: Backend) -> None:
    async with running(tmp_path, backend=backend) as gateway:
        for lane in ("high", "normal", "bulk"):
            answer = await gateway.submit(lane=lane)
            assert (await gateway.ended(answer["id"]))["state"] == "delivered"


async def test_the_gateway_tells_of_itself(tmp_path: Path) -> None:
    async with running(tmp_path) as gateway:
        answer = await gateway.submit()
        await gateway.ended(answer["id"])
        ready = await gateway.client.get("/readyz")
        metrics = (await gateway.client.get("/metrics")).text
        docs = await gateway.client.get("/docs")
        openapi = (await gateway.client.get("/openapi.json")).json()

        assert ready.json()["status"] == "ready"
        assert 'tocsin_deliveries_total{channel="email",state="delivered"} 1.0' in metrics
        assert "ada@" not in metrics
        assert docs.status_code == 200
        assert {"/v1/notifications", "/v1/notifications/batch", "/v1/dlq", "/v1/keys"} <= openapi["paths"].keys()


async def test_what_groups_have_yet_to_do_is_told(tmp_path: Path, backend: Backend) -> None:
    async with running(tmp_path, backend=backend) as gateway:
        answer = await gateway.submit()
        await gateway.ended(answer["id"])
        found = await gateway.until("/v1/lag", lambda told: not any(each["lag"] for each in told["items"]))
    groups = {each["group"] for each in found["items"]}
    assert {topics.worker_group("email", Lane.NORMAL, retrying=False), topics.sink_group("audit", "ingest")} <= groups


async def test_while_the_audit_is_too_far_behind_nothing_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def behind(*_: object, before: datetime) -> bool:
        return before < datetime.now(UTC) - timedelta(hours=83)

    monkeypatch.setattr(EmbeddedLog, "behind", behind)
    async with running(tmp_path) as gateway:
        await gateway_is_closed(gateway.client)
        response = await gateway.client.post("/v1/notifications", json=NOTIFICATION)

        assert response.status_code == 503
        assert "the audit is behind" in response.json()["detail"]


async def gateway_is_closed(client: httpx.AsyncClient) -> None:
    async with asyncio.timeout(20):
        while (await client.get("/readyz")).json()["checks"]["producer.backlog"]["ok"]:  # noqa: ASYNC110 - over HTTP there is no event
            await asyncio.sleep(0.01)


async def test_search_finds_by_what_the_client_knows(tmp_path: Path) -> None:
    async with running(tmp_path) as gateway:
        answer = await gateway.submit()
        await gateway.ended(answer["id"])
        found = await gateway.client.get("/v1/notifications", params={"metadata.order_id": "1001"})
        other = await gateway.client.get("/v1/notifications", params={"metadata.order_id": "1002"})

        assert [each["id"] for each in found.json()["notifications"]] == [answer["id"]]
        assert other.json()["notifications"] == []


async def _letters(gateway: Gateway, count: int) -> list[dict[str, Any]]:
    """Return the dead letters once there are so many."""
    listed = await gateway.until("/v1/dlq", lambda found: len(found["items"]) >= count)
    letters: list[dict[str, Any]] = listed["items"]
    return letters
