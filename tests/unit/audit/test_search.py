"""`GET /v1/notifications`: what is found, in which order, and through which index."""

from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from audit import search
from audit.search import Wanted
from tests.unit.audit.stories import NOW, Story, ingest
from tests.unit.audit.visitors import key
from tocsin.lifecycle import State
from tocsin.store.engine import Store


async def listed(client: httpx.AsyncClient, **parameters: Any) -> list[str]:
    answer = await client.get("/v1/notifications", params=parameters)
    assert answer.status_code == 200, answer.text
    return [each["id"] for each in answer.json()["notifications"]]


@pytest.fixture
async def stories(store: Store) -> dict[str, Story]:
    """Some notifications, a minute apart, the last one the newest."""
    made = {
        "plain": Story(made=NOW),
        "sms": Story(made=NOW + timedelta(minutes=1), addresses=(("sms", "+49301"), ("email", "ada@example.test"))),
        "bob": Story(made=NOW + timedelta(minutes=2), recipient="bob", addresses=(("email", "bob@example.test"),)),
        "other": Story(made=NOW + timedelta(minutes=3), tenant="other"),
        "news": Story(made=NOW + timedelta(minutes=4), category="news", metadata={"order_id": "7", "env": "prod"}),
        "anyone": Story(made=NOW + timedelta(minutes=5), recipient=None, metadata={"env": "prod"}),
    }
    await ingest(store, [event for story in made.values() for event in story.happy()])
    await ingest(store, [made["news"].replayed(1), made["news"].dead(life=1)])
    return made


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({}, "anyone news bob sms plain"),
        ({"recipient": "cust-42"}, "news sms plain"),
        ({"recipient": "nobody"}, ""),
        ({"address": "ada@example.test"}, "anyone news sms plain"),
        ({"address": "+49301"}, "sms"),
        ({"address": "+49301", "channel": "email"}, ""),
        ({"address": "ada@example.test", "channel": "email", "recipient": "cust-42"}, "news sms plain"),
        ({"channel": "sms"}, "sms"),
        ({"channel": "push"}, ""),
        ({"state": "dead"}, "news"),
        ({"state": "delivered"}, "anyone bob plain"),
        ({"state": "accepted"}, "sms"),
        ({"state": "retrying"}, ""),
        ({"state": "delivered", "recipient": "bob"}, "bob"),
        ({"category": "news"}, "news"),
        ({"metadata.order_id": "1001"}, "bob sms plain"),
        ({"metadata.env": "prod"}, "anyone news"),
        ({"metadata.env": "prod", "metadata.order_id": "7"}, "news"),
        ({"metadata.env": "prod", "metadata.order_id": "8"}, ""),
        ({"metadata.env": "prod", "state": "delivered", "address": "ada@example.test"}, "anyone"),
        ({"from": "2030-01-01T00:02:00Z"}, "anyone news bob"),
        ({"to": "2030-01-01T00:02:00Z"}, "sms plain"),
        ({"from": "2030-01-01T01:01:00+01:00", "to": "2030-01-01T00:04:00Z"}, "bob sms"),
        ({"from": "1900-01-01T00:00:00Z", "to": "9999-12-31T23:59:59.999Z"}, "anyone news bob sms plain"),
        ({"metadata.env": "prod", "to": "2030-01-01T00:05:00Z"}, "news"),
    ],
)
async def test_what_is_found(
    client: httpx.AsyncClient, stories: dict[str, Story], parameters: dict[str, str], expected: str
) -> None:
    assert await listed(client, **parameters) == [stories[name].id for name in expected.split()]


async def test_a_tenant_finds_its_own(client: httpx.AsyncClient, stories: dict[str, Story]) -> None:
    answer = await client.get("/v1/notifications", headers=key("other", "admin"))

    assert [each["id"] for each in answer.json()["notifications"]] == [stories["other"].id]


async def test_tests_are_told_and_may_be_left_out(client: httpx.AsyncClient, store: Store) -> None:
    live, test, unknown = Story(made=NOW), Story(made=NOW + timedelta(minutes=1), test=True), Story(made=NOW)
    await ingest(store, [*live.happy(), *test.happy(), unknown.delivered()])

    assert (await client.get(f"/v1/notifications/{test.id}")).json()["test"] is True
    assert await listed(client, test="true") == [test.id]
    assert set(await listed(client, test="false")) == {live.id, unknown.id}
    assert await listed(client, test="true", state="delivered") == [test.id]


async def test_a_test_key_finds_nothing_but_tests(client: httpx.AsyncClient, store: Store) -> None:
    # Of the last one it is not known what it is, for its first event has not come. Nothing here is so young that it is
    # waited for.
    made = NOW - timedelta(hours=1)
    live, test, unknown = Story(made=made), Story(made=made, test=True), Story(made=made)
    await ingest(store, [*live.happy(), *test.happy(), unknown.delivered()])
    client.headers.update(key("default", "read", mode="test"))

    assert await listed(client) == await listed(client, test="false") == [test.id]
    found = [await client.get(f"/v1/notifications/{story.id}") for story in (live, test, unknown)]
    assert [answer.status_code for answer in found] == [404, 200, 404]


async def test_a_line_of_the_list(client: httpx.AsyncClient, stories: dict[str, Story]) -> None:
    answer = await client.get("/v1/notifications", params={"recipient": "bob"})

    assert answer.json() == {
        "notifications": [
            {
                "id": stories["bob"].id,
                "state": "delivered",
                "recipient": {"id": "bob", "locale": "de"},
                "channels": ["email"],
                "category": "orders",
                "lane": "normal",
                "template": {"name": "order-confirmation", "version": "v1"},
                "metadata": {"order_id": "1001"},
                "accepted_at": "2030-01-01T00:02:00.000Z",
                "expires_at": "2030-01-02T00:02:00.000Z",
                "test": False,
            }
        ],
        "next_cursor": None,
    }


@pytest.mark.parametrize("parameters", [{}, {"recipient": "cust-42"}, {"metadata.env": "prod"}, {"state": "delivered"}])
@pytest.mark.usefixtures("stories")
async def test_pages_add_up_though_new_ones_come_meanwhile(
    client: httpx.AsyncClient, store: Store, parameters: dict[str, str]
) -> None:
    whole = await listed(client, **parameters)
    found: list[str] = []
    cursor: dict[str, str] = {}
    for _ in range(10):
        answer = (await client.get("/v1/notifications", params={**parameters, "limit": "1", **cursor})).json()
        found += [each["id"] for each in answer["notifications"]]
        if answer["next_cursor"] is None:
            break
        cursor = {"cursor": answer["next_cursor"]}
        await ingest(store, Story(made=NOW + timedelta(hours=1), metadata={"env": "prod"}).happy())

    assert found == whole


@pytest.mark.parametrize(
    ("parameters", "pointer", "told"),
    [
        ({"recipent": "x"}, "/recipent", "did you mean recipient?"),
        ({"metadata.": "x"}, "/metadata.", "did you mean metadata.<key>?"),
        ({"State": "dead"}, "/State", "did you mean state?"),
        ({"zzz": "x"}, "/zzz", "known: address, category"),
        ({"state": "sent"}, "/state", "'accepted'"),
        ({"from": "yesterday"}, "/from", "datetime"),
        ({"to": "2030-01-01T00:00:00"}, "/to", "timezone"),
        ({"limit": "0"}, "/limit", "greater than or equal to 1"),
        ({"limit": "100000"}, "/limit", "less than or equal to 200"),
        ({"cursor": "nonsense"}, "/cursor", "begin again"),
        ({"recipient": ["a", "b"]}, "/recipient", "is given twice"),
        ({"recipient": "x" * 513}, "/recipient", "at most 512"),
        ({f"metadata.{n}": "x" for n in range(6)}, "", "at most 5"),
    ],
)
async def test_a_parameter_that_is_wrong_is_told(
    client: httpx.AsyncClient, parameters: dict[str, Any], pointer: str, told: str
) -> None:
    answer = await client.get("/v1/notifications", params=parameters)

    assert answer.status_code == 422
    [fault] = answer.json()["errors"]
    assert fault["pointer"] == pointer
    assert told in fault["detail"]


@pytest.mark.parametrize(
    ("wanted", "through"),
    [
        (Wanted(), "notifications_newest (tenant=? AND id<?)"),
        (Wanted(recipient="x"), "notifications_by_recipient (tenant=? AND recipient_id=? AND id<?)"),
        (Wanted(state=State.DEAD), "notifications_by_state (tenant=? AND state=? AND id<?)"),
        (Wanted(address="x"), "deliveries_by_address (tenant=? AND address=?)"),
        (
            Wanted(metadata={"a": "b"}),
            "notification_metadata_by_value (tenant=? AND key=? AND value=? AND notification_id<?)",
        ),
        (Wanted(channel="x"), "deliveries_by_notification (notification_id=?)"),
        (Wanted(test=True), "notifications_of_tests (tenant=? AND id<?)"),
    ],
)
async def test_an_index_answers(store: Store, wanted: Wanted, through: str) -> None:
    query = search.query(wanted, tenant="default", below="ntf_z", limit=50)
    async with store.read() as connection:
        compiled = query.compile(dialect=connection.dialect, compile_kwargs={"literal_binds": True})
        plan = [row.detail for row in await connection.execute(text(f"EXPLAIN QUERY PLAN {compiled}"))]

    assert any(through in step for step in plan), plan
    assert not any("SCAN notif" in step or "SCAN deliv" in step for step in plan), plan
    assert not any("TEMP B-TREE" in step for step in plan), plan


async def test_docs_have_the_parameters_and_examples(client: httpx.AsyncClient) -> None:
    paths = (await client.get("/openapi.json")).json()["paths"]

    parameters = {each["name"] for each in paths["/v1/notifications"]["get"]["parameters"]}
    assert parameters == {
        "recipient",
        "address",
        "state",
        "channel",
        "category",
        "test",
        "from",
        "to",
        "limit",
        "cursor",
        "metadata.<key>",
    }
    for path in ("/v1/notifications", "/v1/notifications/{notification_id}"):
        answer = paths[path]["get"]["responses"]["200"]["content"]["application/json"]
        assert answer["example"]
        assert "$ref" in answer["schema"]
