"""The stock: never negative, never sold twice, and always the sum of its movements."""

from collections.abc import AsyncIterator

import pytest

from examples.shop.inventory import stock
from tests.shop.world import World, opened


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with opened(stock=5) as world:
        yield world


async def left(world: World) -> dict[str, int]:
    return {each["product"]: each["available"] for each in (await world.client.get("/stock")).json()["stock"]}


async def test_the_catalogue_has_a_price_for_each_product(world: World) -> None:
    products = (await world.client.get("/products")).json()["products"]
    assert {each["id"]: each["price_cents"] for each in products} == {
        "book": 1990,
        "mug": 1250,
        "lamp": 4900,
        "chair": 12900,
        "trap": 1013,
        "unicorn": 99900,
    }
    assert await left(world) == {"book": 5, "mug": 5, "lamp": 5, "chair": 5, "trap": 5, "unicorn": 0}


async def test_all_of_an_order_is_reserved_or_nothing(world: World) -> None:
    async with world.benches["inventory"].units.begin() as unit:
        assert await stock.reserve(unit, "1", {"book": 3, "mug": 5}) is None
        short = await stock.reserve(unit, "2", {"book": 2, "lamp": 1, "mug": 1})
    assert short == stock.Short(product="mug", requested=1, available=0)
    assert await left(world) == {**await left(world), "book": 2, "mug": 0, "lamp": 5}
    query = "SELECT order_id, product, change FROM movements WHERE order_id IS NOT NULL ORDER BY product"
    assert await world.benches["inventory"].rows(query) == [("1", "book", -3), ("1", "mug", -5)]


async def test_stock_is_counted_by_hand(world: World) -> None:
    answer = await world.client.put("/stock/unicorn", json={"available": 3})
    assert answer.json() == {"product": "unicorn", "available": 3}
    assert (await left(world))["unicorn"] == 3
    moved = await world.benches["inventory"].value("SELECT sum(change) FROM movements WHERE product = 'unicorn'")
    assert moved == 3


async def test_what_is_not_sold_is_not_counted(world: World) -> None:
    assert (await world.client.put("/stock/zebra", json={"available": 1})).status_code == 404
