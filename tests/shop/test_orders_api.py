"""Orders over HTTP: the three forms that are taken, and bad input, which leaves nothing half-done."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from tests.shop.world import World, opened
from tests.support.waiting import until

MUG = [{"product": "mug", "quantity": 1}]


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with opened() as world:
        yield world


@pytest.fixture
async def ada(world: World) -> str:
    answer = await world.client.post("/customers", json={"name": "Ada", "email": "ada@shop.example"})
    await world.hear("orders", "CustomerCreated")
    found: str = answer.json()["id"]
    return found


async def test_a_customer_who_has_left_orders_nothing(world: World, ada: str) -> None:
    assert (await world.client.delete(f"/customers/{ada}")).status_code == 204
    await world.hear("orders", "CustomerDeleted")
    for path, body, pointer in (
        ("/orders", {"customer_id": ada, "items": MUG}, "/customer_id"),
        ("/api/orders", {"orderId": "1", "userId": ada, "status": "NEW"}, "/userId"),
    ):
        answer = await world.client.post(path, json=body)
        assert answer.status_code == 422
        assert answer.json()["errors"] == [{"pointer": pointer, "detail": "is a customer who has left"}]
    assert await world.benches["orders"].value("SELECT count(*) FROM orders") == 0


async def test_who_has_just_joined_is_waited_for(world: World) -> None:
    joined = (await world.client.post("/customers", json={"name": "Ada", "email": "ada@shop.example"})).json()["id"]
    placing = asyncio.create_task(world.place(customer_id=joined, items=MUG))
    await until(lambda: world.clock.next_due() is not None, what="the request to wait")
    await world.hear("orders", "CustomerCreated")
    assert await world.status(await placing) == "PENDING"


async def test_who_has_just_joined_is_not_waited_for_for_ever(world: World) -> None:
    joined = (await world.client.post("/customers", json={"name": "Ada", "email": "ada@shop.example"})).json()["id"]
    placing = asyncio.create_task(world.client.post("/orders", json={"customer_id": joined, "items": MUG}))
    while not placing.done():
        if world.clock.next_due() is not None:
            world.clock.advance(timedelta(milliseconds=100))
        await asyncio.sleep(0)
    assert (await placing).status_code == 422


async def test_the_same_request_with_the_same_id_gets_the_same_answer(world: World, ada: str) -> None:
    body = {"customer_id": ada, "items": MUG, "order_id": "my-1"}
    first = await world.client.post("/orders", json=body)
    await world.settle()
    again = await world.client.post("/orders", json=body)
    assert await world.status("my-1") == "SHIPPED"
    assert (again.status_code, again.json()) == (first.status_code, first.json()) == (201, first.json())
    assert world.types("my-1").count("OrderPlaced") == 1

    other = await world.client.post("/orders", json={**body, "items": [{"product": "mug", "quantity": 2}]})
    form = await world.client.post("/api/orders", json={"orderId": "my-1", "userId": ada, "status": "NEW"})
    assert (other.status_code, form.status_code) == (409, 409)
    assert other.headers["content-type"] == "application/problem+json"
    assert await world.benches["orders"].value("SELECT count(*) FROM orders") == 1


async def test_an_order_by_names_is_of_a_guest(world: World) -> None:
    body = {"customerName": "Grace Hopper", "productName": "Mug", "quantity": 2}
    answer = await world.client.post("/api/orders", json=body)
    assert answer.status_code == 201
    told = answer.json()
    assert told == {
        "message": "Order placed successfully!",
        "id": told["id"],
        "orderId": told["id"],
        "status": "PENDING",
    }
    await world.settle()
    order = (await world.client.get(f"/orders/{told['id']}")).json()
    assert (order["status"], order["amount_cents"]) == ("SHIPPED", 2500)
    assert order["customer"] == {
        "id": "guest-grace-hopper",
        "name": "Grace Hopper",
        "email": "grace-hopper@shop.example",
        "phone": None,
        "locale": "en",
    }


async def test_an_order_by_ids_is_placed_once(world: World) -> None:
    body = {"orderId": 1001, "userId": 42, "status": "PENDING"}
    first = await world.client.post("/api/orders", json=body)
    again = await world.client.post("/api/orders", json=body)
    other = await world.client.post("/api/orders", json={**body, "userId": 43})
    assert (first.status_code, again.status_code, other.status_code) == (201, 201, 409)
    assert first.json() == again.json()
    assert first.json()["orderId"] == "1001"
    await world.settle()
    assert await world.status("1001") == "SHIPPED"


async def test_an_order_of_one_item_has_the_amount_and_the_address_that_are_given(world: World) -> None:
    body = {"userId": "7", "userEmail": "seven@shop.example", "item": "lamp", "amount": 19.99}
    answer = await world.client.post("/create-order", json=body)
    assert answer.status_code == 201
    await world.settle()
    order = (await world.client.get(f"/orders/{answer.json()['id']}")).json()
    assert (order["status"], order["paid_cents"]) == ("SHIPPED", 1999)
    assert order["customer"]["email"] == "seven@shop.example"

    refused = await world.client.post("/create-order", json={**body, "amount": 20.13})
    await world.settle()
    assert await world.status(refused.json()["id"]) == "CANCELLED"


async def test_a_customer_who_is_known_is_no_guest(world: World, ada: str) -> None:
    answer = await world.client.post("/api/orders", json={"orderId": "1", "userId": ada, "status": "created"})
    assert (await world.client.get(f"/orders/{answer.json()['id']}")).json()["customer"]["name"] == "Ada"


async def test_orders_are_listed_newest_first_by_page_customer_and_status(world: World, ada: str) -> None:
    placed = [await world.place(customer_id=ada, items=MUG) for _ in range(3)]
    await world.settle()
    placed.append(await world.place(customer_id=ada, items=MUG))

    async def listed(**params: str | int) -> list[str]:
        answer = await world.client.get("/orders", params=params)
        return [order["id"] for order in answer.json()["orders"]]

    first = (await world.client.get("/orders", params={"limit": 2})).json()
    assert [order["id"] for order in first["orders"]] == [placed[3], placed[2]]
    assert await listed(limit=2, before=first["next"]) == [placed[1], placed[0]]
    assert await listed(status="PENDING") == [placed[3]]
    assert len(await listed(customer=ada)) == 4
    assert await listed(customer="other") == []
    for wrong in ({"limit": 0}, {"status": "GONE"}, {"before": "x"}):
        assert (await world.client.get("/orders", params=wrong)).status_code == 422
