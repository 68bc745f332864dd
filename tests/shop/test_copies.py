"""Several copies of each service on one PostgreSQL: they share the work, and none of it is done twice."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from examples.shop.kit import topics
from tests.shop import sums
from tests.shop.shops import Shop, running
from tests.support.postgres import GROUP, Databases
from tocsin.runtime.clock import SystemClock

pytestmark = GROUP
COPIES = 2
ORDERS = 36


@asynccontextmanager
async def opened(directory: Path, databases: Databases, topic: str | None) -> AsyncIterator[Shop]:
    """Open a shop with two copies of each service, each service on a PostgreSQL database of its own."""
    async with AsyncExitStack() as stack:
        urls = {name: await stack.enter_async_context(databases.empty()) for name in topics.SERVICES}
        yield await stack.enter_async_context(
            running(directory, clock=SystemClock(), copies=COPIES, databases=urls, topic=topic, stock=20)
        )


@pytest.mark.parametrize("topic", [None, "shop.events"], ids=["topics", "one-topic"])
async def test_two_copies_of_each_service_share_one_database(
    tmp_path: Path, databases: Databases, topic: str | None
) -> None:
    async with opened(tmp_path, databases, topic) as shop:
        customers = [await shop.customer(), await shop.customer(name="Nemo of Nowhere")]
        answers = await asyncio.gather(*(_ordered(shop, customers, number) for number in range(ORDERS)))
        await asyncio.gather(*(_cancelled(shop, order, number) for number, order in enumerate(answers[::7])))
        await shop.at_rest()

        happened = await shop.happened()
        await sums.check(shop.rows, happened)
        assert await shop.rows("orders", "SELECT count(*) FROM orders") == [(ORDERS,)]
        # There were more orders for books than books.
        short = {event.data["product"] for event in happened if event.type == "InventoryInsufficient"}
        assert short == {"book", "unicorn"}
        for service in topics.SERVICES:
            assert await shop.rows(service, "SELECT count(*) FROM unreadable") == [(0,)]


async def test_what_many_ask_for_at_once_is_done_once(tmp_path: Path, databases: Databases) -> None:
    async with opened(tmp_path, databases, None) as shop:
        ada = await shop.customer()
        bodies = [{"orderId": "7", "userId": str(number % 2), "status": "NEW"} for number in range(20)]
        names = [{"name": f"Ada {number}", "email": "ada@shop.example"} for number in range(10)]
        placed, changed = await asyncio.gather(
            _all(shop, "POST", "/api/orders", bodies), _all(shop, "PUT", f"/customers/{ada}", names)
        )
        await shop.at_rest()

        # One id is one order.
        assert sorted(answer.status_code for answer in placed) == [201] * 10 + [409] * 10
        assert await shop.rows("orders", "SELECT count(*) FROM orders") == [(1,)]
        assert [event.type for event in await shop.happened("7")].count("OrderPlaced") == 1
        # Each change of a customer is a version, and the last is what orders goes by.
        assert sorted(answer.json()["version"] for answer in changed) == list(range(2, 12))
        told = [event.data["version"] for event in await shop.happened(ada)]
        assert sorted(told) == list(range(1, 12))
        [last] = [answer.json()["name"] for answer in changed if answer.json()["version"] == 11]
        assert (await shop.order(await shop.place(ada, book=1)))["customer"]["name"] == last


async def _all(shop: Shop, method: str, path: str, bodies: Sequence[Any]) -> list[httpx.Response]:
    """Ask for all of these at once, of both copies."""
    return await asyncio.gather(
        *(shop.clients[number % COPIES].request(method, path, json=body) for number, body in enumerate(bodies))
    )


async def _ordered(shop: Shop, customers: list[str], number: int) -> str:
    client = shop.clients[number % COPIES]
    product = ("book", "book", "mug", "trap", "book", "unicorn")[number % 6]
    items = [{"product": product, "quantity": 2}, {"product": "lamp" if number % 2 else "chair", "quantity": 1}]
    # Sorted and not, so that two orders would wait for each other if stock were taken in the order of the request.
    body = {"customer_id": customers[number % 12 == 2], "items": items[:: 1 if number % 4 < 2 else -1]}
    answer = await client.post("/orders", json=body)
    assert answer.status_code == 201, answer.text
    found: str = answer.json()["id"]
    return found


async def _cancelled(shop: Shop, order: str, number: int) -> None:
    answer = await shop.clients[number % COPIES].post(f"/orders/{order}/cancel")
    assert answer.status_code in {200, 409}, answer.text
