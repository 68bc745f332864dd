"""Bad input of all kinds: a clear problem with a pointer, and nothing half-done."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from tests.shop.world import World, opened

ADA = {"name": "Ada Lovelace", "email": "ada@shop.example", "phone": "+4915112345678", "locale": "de"}
MUG = [{"product": "mug", "quantity": 1}]

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world() -> AsyncIterator[World]:
    """One world for all of these: each test leaves it as it was."""
    async with opened(stock=5) as world:
        yield world


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def ada(world: World) -> str:
    """The one customer, known to orders."""
    answer = await world.client.post("/customers", json=ADA)
    await world.hear("orders", "CustomerCreated")
    found: str = answer.json()["id"]
    return found


async def problem(world: World, path: str, body: Any, status: int = 422) -> dict[str, str]:
    """Post what is refused; return the details by pointer. Nothing may be left behind."""
    headers = {"content-type": "application/json"}
    answer = await world.client.post(path, content=json.dumps(body), headers=headers)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    document = answer.json()
    assert document["status"] == status
    assert document["type"].startswith("urn:tocsin-shop:problem:")
    for table in ("orders", "history", "outbox"):
        assert await world.benches["orders"].value(f"SELECT count(*) FROM {table}") == 0
    return {each["pointer"]: each["detail"] for each in document.get("errors", [])}


@pytest.mark.parametrize(
    ("items", "pointer", "detail"),
    [
        ([{"product": "zebra", "quantity": 1}], "/items/0/product", "is not sold here"),
        ([*MUG, {"product": "zebra", "quantity": 1}], "/items/1/product", "is not sold here"),
        ([{"product": "mug", "quantity": 0}], "/items/0/quantity", "must be at least 1"),
        ([{"product": "mug", "quantity": -3}], "/items/0/quantity", "must be at least 1"),
        ([{"product": "mug", "quantity": 101}], "/items/0/quantity", "must be at most 100"),
        ([{"product": "mug", "quantity": 1.5}], "/items/0/quantity", "must be an integer"),
        ([{"product": "mug", "quantity": True}], "/items/0/quantity", "must be an integer"),
        ([{"product": "mug", "quantity": "1"}], "/items/0/quantity", "must be an integer"),
        ([{"product": "mug"}], "/items/0/quantity", "is required"),
        ([{"product": "mug", "quantity": 1, "price": 1}], "/items/0/price", "is not known here"),
        ([*MUG, *MUG], "/items", "must name each product once"),
        ([], "/items", "must not be empty"),
        (MUG * 21, "/items", "must not have more items than 20"),
        ("mug", "/items", "must be a list"),
        ([{"product": "mu\0g", "quantity": 1}], "/items/0/product", "must not have control characters"),
    ],
)
async def test_items_that_are_wrong_are_named_by_pointer(
    world: World, ada: str, items: Any, pointer: str, detail: str
) -> None:
    faults = await problem(world, "/orders", {"customer_id": ada, "items": items})
    assert faults[pointer].startswith(detail)


@pytest.mark.parametrize("customer", ["nobody", "cus_018c8d3f4a0000000000000000000000"])
async def test_an_unknown_customer_orders_nothing(world: World, customer: str) -> None:
    faults = await problem(world, "/orders", {"customer_id": customer, "items": MUG})
    assert faults == {"/customer_id": "is not a customer of the shop"}


@pytest.mark.parametrize(
    ("path", "changes", "pointer"),
    [
        ("/create-order", {"amount": -1}, "/amount"),
        ("/create-order", {"amount": 0}, "/amount"),
        ("/create-order", {"amount": 0.001}, "/amount"),
        ("/create-order", {"amount": 1e300}, "/amount"),
        ("/create-order", {"amount": "10"}, "/amount"),
        ("/create-order", {"amount": True}, "/amount"),
        ("/create-order", {"item": "zebra"}, "/item"),
        ("/create-order", {"userEmail": "nobody"}, "/userEmail"),
        ("/create-order", {"userEmail": "a@b.example\r\nBcc: c@d.example"}, "/userEmail"),
        ("/create-order", {"userId": ""}, "/userId"),
        ("/create-order", {"userId": None}, "/userId"),
        ("/api/orders", {"productName": "zebra"}, "/productName"),
        ("/api/orders", {"quantity": 0}, "/quantity"),
        ("/api/orders", {"customerName": " "}, "/customerName"),
        ("/api/orders", {"customerName": "A\ud800"}, "/customerName"),
        ("/api/orders", {"orderId": "1", "userId": "2", "status": "SHIPPED"}, "/status"),
        ("/api/orders", {"orderId": "", "userId": "2", "status": "NEW"}, "/orderId"),
    ],
)
async def test_compatible_forms_that_are_wrong_are_refused(
    world: World, path: str, changes: dict[str, Any], pointer: str
) -> None:
    bodies: dict[str, dict[str, Any]] = {
        "/create-order": {"userId": "7", "userEmail": "seven@shop.example", "item": "lamp", "amount": 5},
        "/api/orders": {"customerName": "Ada", "productName": "mug", "quantity": 1},
    }
    faults = await problem(world, path, {**bodies[path], **changes})
    assert pointer in faults
    assert await world.benches["orders"].value("SELECT count(*) FROM customers WHERE version = 0") == 0


@pytest.mark.parametrize(
    ("content", "kind", "status"),
    [
        (b"{", "application/json", 400),
        (b"\xff", "application/json", 400),
        (b"[" * 50_000, "application/json", 400),
        (b'"' + b"x" * 70_000 + b'"', "application/json", 413),
        (b"[]", "application/json", 422),
        (b"null", "application/json", 422),
        (b"", "application/json", 422),
        (b"customer_id=1", "application/x-www-form-urlencoded", 415),
    ],
    ids=["cut off", "no text", "too deep", "too large", "list", "null", "empty", "form"],
)
@pytest.mark.parametrize("path", ["/orders", "/api/orders", "/create-order", "/customers"])
async def test_a_body_that_is_no_object_of_json_is_a_problem(
    world: World, path: str, content: bytes, kind: str, status: int
) -> None:
    answer = await world.client.post(path, content=content, headers={"content-type": kind})
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    "path", ["/orders/none", "/customers/none", "/nothing", "/orders/a%00b", "/orders?customer=%00"]
)
async def test_what_is_not_there_is_404(world: World, path: str) -> None:
    answer = await world.client.get(path)
    assert (answer.status_code, answer.json()["status"]) == (404, 404)
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"name": ""}, "/name"),
        ({"name": "x" * 101}, "/name"),
        ({"name": "A\nB"}, "/name"),
        ({"name": 7}, "/name"),
        ({"email": "ada"}, "/email"),
        ({"email": "ada@localhost"}, "/email"),
        ({"email": "x" * 250 + "@shop.example"}, "/email"),
        ({"phone": "0151"}, "/phone"),
        ({"locale": "German"}, "/locale"),
        ({"nmae": "x"}, "/nmae"),
    ],
)
async def test_details_that_are_wrong_are_refused(
    world: World, ada: str, changes: dict[str, Any], pointer: str
) -> None:
    before = (await world.client.get(f"/customers/{ada}")).json()
    for method, path in (("POST", "/customers"), ("PUT", f"/customers/{ada}")):
        answer = await world.client.request(method, path, json={**ADA, **changes})
        assert answer.status_code == 422
        assert [each["pointer"] for each in answer.json()["errors"]] == [pointer]
        # What came may be an address: it is not repeated.
        assert not any(isinstance(value, str) and value and value in answer.text for value in changes.values())
    assert (await world.client.get(f"/customers/{ada}")).json() == before
    assert await world.benches["customers"].value("SELECT count(*) FROM outbox") == 1


@pytest.mark.parametrize("available", [-1, 1_000_001, 1.5, "3", None])
async def test_a_count_that_is_none_is_refused(world: World, available: object) -> None:
    answer = await world.client.put("/stock/book", json={"available": available})
    assert answer.status_code == 422
    assert [each["pointer"] for each in answer.json()["errors"]] == ["/available"]
    assert await world.benches["inventory"].value("SELECT available FROM stock WHERE product = 'book'") == 5
