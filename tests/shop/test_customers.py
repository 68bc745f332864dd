"""Customers over HTTP, and the events that tell of them."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.shop.world import World, opened

ADA = {"name": "Ada Lovelace", "email": "ada@shop.example", "phone": "+4915112345678", "locale": "de"}


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with opened() as world:
        yield world


async def created(world: World, **changes: Any) -> Any:
    answer = await world.client.post("/customers", json={**ADA, **changes})
    assert answer.status_code == 201, answer.text
    return answer.json()


async def test_a_customer_is_created_read_replaced_and_deleted(world: World) -> None:
    ada = await created(world)
    path = f"/customers/{ada['id']}"
    assert {name: ada[name] for name in ADA} == ADA
    assert (await world.client.get(path)).json() == ada

    replaced = await world.client.put(path, json={"name": "Ada King", "email": "king@shop.example"})
    assert replaced.json() == {
        **ada,
        "name": "Ada King",
        "email": "king@shop.example",
        "phone": None,
        "locale": "en",
        "version": 2,
    }
    assert (await world.client.delete(path)).status_code == 204
    for method in ("GET", "DELETE"):
        assert (await world.client.request(method, path)).status_code == 404
    assert (await world.client.put(path, json=ADA)).status_code == 404

    await world.publish("customers")
    assert [(event.type, event.data["version"], event.data["customer"]["name"]) for event in world.log] == [
        ("CustomerCreated", 1, "Ada Lovelace"),
        ("CustomerUpdated", 2, "Ada King"),
        ("CustomerDeleted", 3, "Ada King"),
    ]
    assert {event.subject for event in world.log} == {ada["id"]}


async def test_of_who_has_left_no_details_are_kept(world: World) -> None:
    ada = await created(world)
    await world.client.delete(f"/customers/{ada['id']}")
    query = "SELECT name, email, phone, locale FROM customers"
    assert await world.benches["customers"].rows(query) == [(None, None, None, None)]


async def test_customers_are_listed_by_page(world: World) -> None:
    names = [(await created(world, name=name))["name"] for name in ("Ada", "Bo", "Cy")]
    first = (await world.client.get("/customers", params={"limit": 2})).json()
    rest = (await world.client.get("/customers", params={"limit": 2, "before": first["next"]})).json()
    assert [each["name"] for page in (first, rest) for each in page["customers"]] == names[::-1]
    assert rest["next"] is None
