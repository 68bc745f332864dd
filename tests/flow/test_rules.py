"""Business events become notifications by rules alone: over a topic, over HTTP, and on either log."""

import asyncio
from dataclasses import replace
from email import message_from_bytes
from pathlib import Path
from typing import Any

import pytest

from tests.support import ruling
from tests.support.backends import Backend, Cluster
from tests.support.gateways import Gateway, running
from tests.support.ruling import CONFIRMATION, TOPIC, WORDS, binary, event, folder, order, structured
from tests.support.tap import Tap, tapped
from tocsin import topics
from tocsin.record import Record

STRUCTURED = {"content-type": "application/cloudevents+json"}


@pytest.fixture
def tap(monkeypatch: pytest.MonkeyPatch) -> Tap:
    return tapped(monkeypatch)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return folder(tmp_path / "rules", orders=CONFIRMATION, words=WORDS)


@pytest.fixture
def topic(backend: Backend) -> str:
    """A topic that no other test has, where tests share a cluster."""
    return f"{topics.PREFIX}.{TOPIC}" if isinstance(backend, Cluster) else TOPIC


def rules(root: Path, topic: str = TOPIC) -> dict[str, Any]:
    return {"root": str(root), "topics": [topic]}


def with_events(backend: Backend, topic: str) -> Backend:
    return replace(backend, events=(topic,)) if isinstance(backend, Cluster) else backend


async def delivered(gateway: Gateway, count: int) -> None:
    """Wait until so many mails are there, and the audit knows that nothing is under way."""
    await gateway.until(
        "/v1/notifications?limit=200",
        lambda page: [each["state"] for each in page["notifications"]] == ["delivered"] * count,
    )
    assert gateway.mailbox.total == count


async def metric(gateway: Gateway, line: str) -> None:
    """Wait for a line of the metrics."""
    async with asyncio.timeout(60):
        while line not in (await gateway.client.get("/metrics")).text.splitlines():
            pass


async def letters(gateway: Gateway, count: int) -> list[dict[str, Any]]:
    page = await gateway.until("/v1/dlq?channel=requests", lambda page: len(page["items"]) >= count)
    items: list[dict[str, Any]] = page["items"]
    return items


async def test_an_event_is_sent_once_whichever_way_and_however_often_it_comes(
    tmp_path: Path, root: Path, tap: Tap, backend: Backend, topic: str
) -> None:
    (root / "words.toml").unlink()
    settings = rules(root, topic)
    async with running(tmp_path / "data", backend=with_events(backend, topic), rules=settings) as gateway:
        await tap.write(
            *(
                each(event(number), topic=topic)
                for each, number in ((binary, "1"), (structured, "2"), (structured, "1"))
            )
        )
        await delivered(gateway, 2)
        again = await gateway.client.post("/v1/events", json=event("2"), headers=STRUCTURED)
        first = await gateway.client.post("/v1/events", json=event("3"), headers=STRUCTURED)
        await tap.write(binary(event("3"), topic=topic), binary(event("4", type="OrderPaid"), topic=topic))
        await metric(gateway, 'tocsin_rule_events_total{outcome="unmatched"} 1.0')
        await metric(gateway, 'tocsin_rule_notifications_total{outcome="repeated",rule="confirmation"} 3.0')
        await delivered(gateway, 3)

        assert again.json()["notifications"][0]["repeated"] is True
        assert first.json()["notifications"][0]["state"] == "accepted"
        # What is counted is committed a moment later.
        caught_up = {"group": topics.rules_group(), "lag": 0, "topics": {}}
        await gateway.until("/v1/lag", lambda told: caught_up in told["items"])


async def test_what_a_rule_cannot_use_is_a_letter_of_that_rule_and_its_replay_runs_that_rule_alone(
    tmp_path: Path, root: Path, tap: Tap, backend: Backend, topic: str
) -> None:
    nobody = order("1", customer={"id": "c", "email": None}, note="a note")
    async with running(tmp_path / "data", backend=with_events(backend, topic), rules=rules(root, topic)) as gateway:
        await tap.write(binary(event("1", data=nobody), topic=topic), Record(topic=topic, key=None, value=b"no event"))
        [other, letter] = sorted(await letters(gateway, 2), key=lambda each: str(each["message"]))
        await delivered(gateway, 1)
        whole = (await gateway.client.get(f"/v1/dlq/{letter['id']}")).json()
        (root / "orders.toml").write_text(CONFIRMATION.replace('"data.customer.email"', "\"'ada@example.test'\""))
        await metric(gateway, "tocsin_rules 2.0")
        while (await gateway.client.post("/v1/events", json=event("9", data=nobody), headers=STRUCTURED)).is_error:
            pass  # until the mended rule is taken
        answer = await gateway.client.post(f"/v1/dlq/{letter['id']}/replay")
        await delivered(gateway, 4)

        assert answer.json()["state"] == "replayed"
        assert letter["message"].startswith("rule confirmation: /recipient/email is required")
        assert "the event has nothing at data.customer.email" in letter["message"]
        assert {"name": "tocsin-rule", "value": "confirmation"} in whole["headers"]
        assert whole["origin"]["topic"] == topic
        assert (letter["reason"], other["reason"]) == ("invalid", "broken_headers")


async def test_a_broken_rule_file_leaves_the_rules_as_they_were_and_a_mended_one_is_taken(
    tmp_path: Path, root: Path
) -> None:
    async with running(tmp_path / "data", rules=rules(root)) as gateway:
        (root / "orders.toml").write_text(CONFIRMATION.replace("channels", "chanels"))
        (root / "words.toml").unlink()
        await metric(gateway, "tocsin_rules_refused 1.0")
        ready = (await gateway.client.get("/readyz")).json()
        old = (await gateway.client.post("/v1/events", json=event("1"), headers=STRUCTURED)).json()
        (root / "orders.toml").write_text(CONFIRMATION.replace('"confirmation"', '"mended"'))
        (root / "more.toml").write_text(WORDS.replace("data.note", "'x'"))
        await metric(gateway, "tocsin_rules_refused 0.0")
        mended = (await gateway.client.get("/readyz")).json()
        new = (await gateway.client.post("/v1/events", json=event("2"), headers=STRUCTURED)).json()

        assert ready["checks"]["producer.rules"] == {
            "ok": True,
            "detail": "orders.toml: cannot be used (see the log); the rules of before hold",
        }
        assert mended["checks"]["producer.rules"] == {"ok": True, "detail": ""}
        assert [each["rule"] for each in old["notifications"]] == ["confirmation"]
        assert [each["rule"] for each in new["notifications"]] == ["words", "mended"]


async def test_the_example_rules_work_as_they_are(tmp_path: Path) -> None:
    root = folder(tmp_path / "rules", orders=ruling.EXAMPLE.read_text())
    async with running(tmp_path / "data", rules={"root": str(root)}) as gateway:
        placed = await gateway.client.post("/v1/events", json=event("1"), headers=STRUCTURED)
        data = order("1", reason="out_of_stock")
        cancelled = await gateway.client.post(
            "/v1/events", json=event("2", type="OrderCancelled", data=data), headers=STRUCTURED
        )
        await delivered(gateway, 2)

        assert [each["rule"] for each in placed.json()["notifications"]] == ["order-confirmation"]
        assert [each["rule"] for each in cancelled.json()["notifications"]] == ["order-cancelled"]
        subjects = [message_from_bytes(mail.raw)["Subject"] for mail in gateway.mailbox.newest()]
        assert "Your order 1 is cancelled" in subjects
