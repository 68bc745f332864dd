"""The routes of the inbox: who may ask what, and what pages of other origins are told."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from channels.browser import inbox_cors
from tests.unit.browser.inbox_serving import Serving, serving
from tests.unit.browser.letters import ADA, BOB, letter
from tests.unit.web.support import pointers, slug
from tocsin.clock import rfc3339
from tocsin.errors import SettingsError
from tocsin.store.engine import Store, open_store
from tocsin.store.migrate import upgrade

ORIGIN = "https://shop.example.com"
HEADERS = {"Origin": ORIGIN}


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    async with open_store(f"sqlite:///{tmp_path / 'store.db'}") as opened:
        await upgrade(opened)
        yield opened


@pytest.fixture
async def served(store: Store) -> AsyncIterator[Serving]:
    async with serving(store, origins=[ORIGIN]) as found:
        yield found


async def test_a_ticket_is_for_one_recipient_and_the_time_that_is_set(served: Serving) -> None:
    await served.put(letter(1), letter(2, owner=BOB))
    wanted = {"recipient_id": "ada"}
    made = await served.client.post("/v1/inbox/tickets", json=wanted, headers=served.headers("submit"))
    query = {"ticket": made.json()["ticket"]}
    found = (await served.client.get("/v1/inbox/messages", params=query)).json()
    served.clock.advance(timedelta(seconds=600))
    late = await served.client.get("/v1/inbox/messages", params=query)

    assert made.status_code == 201
    assert made.json()["expires_at"] == rfc3339(served.clock.now())
    assert [each["body"] for each in found["items"]] == ["1"]
    assert (late.status_code, slug(late)) == (401, "ticket-needed")


async def test_a_ticket_needs_a_key_that_may_submit(served: Serving) -> None:
    wanted = {"recipient_id": "ada"}
    without = await served.client.post("/v1/inbox/tickets", json=wanted)
    reader = await served.client.post("/v1/inbox/tickets", json=wanted, headers=served.headers("read"))

    assert [slug(without), slug(reader)] == ["unauthorized", "forbidden"]


@pytest.mark.parametrize("body", [{}, {"recipient_id": ""}, {"recipient_id": 7}, {"recipient_id": "a", "x": 1}, []])
async def test_a_ticket_for_nobody_is_refused_with_its_place(served: Serving, body: Any) -> None:
    answer = await served.client.post("/v1/inbox/tickets", json=body, headers=served.headers("submit"))

    assert answer.status_code == 422
    assert pointers(answer)


@pytest.mark.parametrize("path", ["events", "messages"])
async def test_nothing_opens_without_a_ticket(served: Serving, path: str) -> None:
    missing = await served.client.get(f"/v1/inbox/{path}")
    wrong = await served.client.get(f"/v1/inbox/{path}", params={"ticket": "a.b"})
    key = await served.client.get(f"/v1/inbox/{path}", params={"ticket": "a.b"}, headers=served.headers("admin"))

    assert [missing.status_code, wrong.status_code, key.status_code] == [422, 401, 401]


async def test_pages_of_messages_follow_one_another(served: Serving) -> None:
    await served.put(*(letter(number) for number in range(5)))
    query = {**await served.ticket(), "limit": "2"}
    seen: list[list[str]] = []
    cursor: dict[str, str] | None = {}
    while cursor is not None:
        found = (await served.client.get("/v1/inbox/messages", params={**query, **cursor})).json()
        seen.append([each["body"] for each in found["items"]])
        assert (found["newest"], found["unread"]) == (5, 5)
        cursor = {"cursor": found["next_cursor"]} if found["next_cursor"] else None

    assert seen == [["4", "3"], ["2", "1"], ["0"]]


async def test_what_is_read_is_told_before_it_is_noted(served: Serving) -> None:
    await served.put(letter(1), letter(2), letter(3, owner=BOB))
    query = await served.ticket()
    served.publisher.away = True
    failed = await served.client.post("/v1/inbox/read", params=query, json={"ids": [1]})
    unread = await served.inboxes.unread(ADA, [1, 2])
    served.publisher.away = False
    for _ in range(2):
        await served.client.post("/v1/inbox/read", params=query, json={"ids": [1, 1, 77]})
    [record] = served.publisher.written
    event = msgspec.json.decode(record.value or b"")

    assert failed.status_code == 503
    assert [each.number for each in unread] == [1, 2]
    assert (event["type"], event["delivery_id"]) == ("tocsin.receipt.read", letter(1).delivery_id)
    assert event["data"]["provider_id"] == f"{letter(1).delivery_id}:0"
    assert "ada" not in str(event["data"]).replace(letter(1).delivery_id, "")
    assert [each.number for each in await served.inboxes.unread(ADA, [1, 2])] == [2]
    assert len(await served.inboxes.unread(BOB, [1])) == 1


@pytest.mark.parametrize("ids", [[], ["1"], [0], [2**63], [1] * 1001, 1])
async def test_ids_that_are_none_are_refused_with_their_place(served: Serving, ids: Any) -> None:
    answer = await served.client.post("/v1/inbox/read", params=await served.ticket(), json={"ids": ids})

    assert answer.status_code == 422
    assert pointers(answer)[0].startswith("/ids")


async def test_a_page_of_an_origin_that_is_set_may_read_answers_and_problems(served: Serving) -> None:
    found = await served.client.get("/v1/inbox/messages", params=await served.ticket(), headers=HEADERS)
    problem = await served.client.get("/v1/inbox/messages", params={"ticket": "a.b"}, headers=HEADERS)
    missing = await served.client.get("/v1/inbox/messages", headers=HEADERS)
    other = await served.client.get("/v1/inbox/messages", headers={"Origin": "https://elsewhere.example"})
    asked = await served.client.options("/v1/inbox/read", headers=HEADERS)

    for answer in (found, problem, missing, asked):
        assert answer.headers["access-control-allow-origin"] == ORIGIN
        assert answer.headers["vary"] == "Origin"
    assert (asked.status_code, asked.headers["access-control-allow-methods"]) == (204, "POST")
    assert "access-control-allow-origin" not in other.headers
    assert "access-control-allow-credentials" not in found.headers


async def test_no_page_of_another_origin_may_make_tickets(served: Serving) -> None:
    headers = {**HEADERS, **served.headers("submit")}
    made = await served.client.post("/v1/inbox/tickets", json={"recipient_id": "ada"}, headers=headers)
    asked = await served.client.options("/v1/inbox/tickets", headers=HEADERS)

    assert "access-control-allow-origin" not in made.headers
    assert asked.status_code == 405


async def test_without_origins_nothing_is_said_of_them(store: Store) -> None:
    async with serving(store) as served:
        found = await served.client.get("/v1/inbox/messages", params=await served.ticket(), headers=HEADERS)

    assert not {"vary", "access-control-allow-origin"} & set(found.headers)


@pytest.mark.parametrize(
    "origin", ["shop.example.com", "https://shop.example.com/", "https://Shop.example.com", "https://", "ftp://a.b"]
)
def test_what_no_browser_calls_an_origin_is_a_mistake_in_the_settings(origin: str) -> None:
    with pytest.raises(SettingsError, match=r"inbox\.origins"):
        inbox_cors.checked([origin])
