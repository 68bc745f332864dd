"""`POST /v1/events`: each mode, what is answered to what, and what stands when a rule cannot use an event."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from producer.rules import matching
from tests.support.gateways import Gateway, running
from tests.support.ruling import CONFIRMATION, WORDS, event, folder, order

STRUCTURED = {"content-type": "application/cloudevents+json"}
BATCHED = {"content-type": "application/cloudevents-batch+json"}


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[Gateway]:
    root = folder(tmp_path / "rules", orders=CONFIRMATION, words=WORDS)
    async with running(tmp_path / "data", rules={"root": str(root)}) as found:
        yield found


async def post(gateway: Gateway, document: Any, headers: dict[str, str] = STRUCTURED) -> httpx.Response:
    return await gateway.client.post("/v1/events", json=document, headers=headers)


async def test_binary_mode_is_the_same_event(gateway: Gateway) -> None:
    data = order("1", note="x")
    given = event("1", data=data)
    headers = {f"ce-{name}": value for name, value in given.items() if name != "data"}
    binary = await post(gateway, data, {**headers, "content-type": "application/json"})
    structured = await post(gateway, given)

    assert (binary.status_code, structured.status_code) == (202, 202)
    assert binary.json()["event"] == {"source": "/shop/orders", "id": "1"}
    made = binary.json()["notifications"]
    assert [each["rule"] for each in made] == ["confirmation", "words"]
    assert structured.json()["notifications"] == [
        {"rule": each["rule"], "id": each["id"], "repeated": True} for each in made
    ]


async def test_an_event_that_no_rule_matches_is_taken_and_nothing_comes_of_it(gateway: Gateway) -> None:
    answer = await post(gateway, event("1", type="Other"))

    assert answer.status_code == 202
    assert answer.json() == {"event": {"source": "/shop/orders", "id": "1"}, "notifications": []}


async def test_a_rule_that_cannot_use_an_event_is_named_and_what_the_others_made_stands(gateway: Gateway) -> None:
    nobody = order("1", customer={"id": "c"}, note="x")
    answer = await post(gateway, event("1", data=nobody))
    problem = answer.json()
    mended = (await post(gateway, event("1", data=order("1", note="y")))).json()

    assert answer.status_code == 422
    assert problem["type"] == "urn:tocsin:problem:event-unusable"
    assert problem["errors"] == [
        {
            "rule": "confirmation",
            "pointer": "/recipient/email",
            "detail": "is required for the channel email; the event has nothing at data.customer.email",
        }
    ]
    assert [each["rule"] for each in problem["notifications"]] == ["words"]
    assert [each.get("repeated", False) for each in mended["notifications"]] == [False, True]


async def test_a_batch_answers_for_each_event(gateway: Gateway) -> None:
    good, other = event("1", data=order("1", note="x")), event("2", type="Other")
    right = await post(gateway, [good, other], BATCHED)
    mixed = await post(gateway, [good, {"id": "3"}, event("4")], BATCHED)

    assert right.status_code == 202
    assert [len(each["notifications"]) for each in right.json()["results"]] == [2, 0]
    assert mixed.status_code == 207
    results = mixed.json()["results"]
    assert [each["status"] for each in results] == [202, 422, 422]
    assert results[0]["notifications"][0]["repeated"] is True
    assert [each["pointer"] for each in results[1]["errors"]] == ["/specversion", "/source", "/type"]
    assert [each["rule"] for each in results[2]["errors"]] == ["words"]
    assert [each["rule"] for each in results[2]["notifications"]] == ["confirmation"]


async def test_one_event_twice_in_a_batch_is_one(gateway: Gateway) -> None:
    given = event("1", data=order("1", note="x"))
    results = (await post(gateway, [given, given], BATCHED)).json()["results"]

    ids = [[each["id"] for each in result["notifications"]] for result in results]
    assert ids[0] == ids[1]


@pytest.mark.parametrize(
    ("document", "headers", "status"),
    [
        (event("1"), {"content-type": "application/json"}, 415),
        ([event("1")], STRUCTURED, 422),
        (event("1"), BATCHED, 422),
        (event("1", specversion="0.3"), STRUCTURED, 422),
        ({}, {"ce-id": "1"}, 400),
    ],
)
async def test_what_is_no_event_is_refused(
    gateway: Gateway, document: Any, headers: dict[str, str], status: int
) -> None:
    answer = await post(gateway, document, headers)

    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")


async def test_it_takes_a_key_that_may_submit_and_a_test_key_reaches_nobody(gateway: Gateway) -> None:
    keys = {
        name: (await gateway.client.post("/v1/keys", json=body)).json()["key"]
        for name, body in {
            "reader": {"name": "r", "scopes": ["read"]},
            "tester": {"name": "t", "scopes": ["submit"], "mode": "test"},
        }.items()
    }
    given = event("1", data=order("1", note="x"))
    answers = {
        name: (await post(gateway, given, {**STRUCTURED, "authorization": f"Bearer {key}"})).status_code
        for name, key in keys.items()
    }
    live = await post(gateway, given)
    for each in live.json()["notifications"]:
        await gateway.ended(each["id"])

    assert answers == {"reader": 403, "tester": 202}
    assert ["repeated" in each for each in live.json()["notifications"]] == [False, False]
    assert gateway.mailbox.total == 2


async def test_the_openapi_shows_what_works(gateway: Gateway) -> None:
    path = (await gateway.client.get("/openapi.json")).json()["paths"]["/v1/events"]["post"]
    content = path["requestBody"]["content"]
    structured = content["application/cloudevents+json"]["examples"]["structured"]["value"]
    batch = content["application/cloudevents-batch+json"]["examples"]["batch"]["value"]

    assert (await post(gateway, {**structured, "type": "Other"})).status_code == 202
    assert (await post(gateway, [{**each, "type": "Other"} for each in batch], BATCHED)).status_code == 202


async def test_others_get_their_turn_between_the_events_of_a_batch(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    turn = 0

    def count() -> None:
        nonlocal turn
        turn += 1
        if len(asked) < 9:
            asyncio.get_running_loop().call_soon(count)

    def asks(*_: Any) -> tuple[()]:
        asked.append(turn)
        return ()

    monkeypatch.setattr(matching, "asks", asks)
    count()
    answer = await post(gateway, [event(str(number)) for number in range(9)], BATCHED)

    assert answer.status_code == 202
    assert len(set(asked)) == len(asked) == 9
