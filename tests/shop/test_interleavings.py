"""Whatever comes first, comes twice or crashes: the sums add up, and every order ends."""

import asyncio
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.shop import sums
from tests.shop.world import World, opened

STOCK = 5
PRODUCTS = ("book", "mug", "trap", "unicorn")

lines = st.lists(
    st.tuples(st.sampled_from(PRODUCTS), st.integers(1, 3)), min_size=1, max_size=3, unique_by=lambda line: line[0]
)
wishes = st.lists(st.tuples(st.booleans(), lines), min_size=1, max_size=4)


@pytest.mark.timeout(600)
def test_the_sums_add_up_and_every_order_ends(long: bool) -> None:
    """In any order of events, with crashes, repeats and cancellations."""

    @settings(max_examples=500 if long else 20, deadline=None)
    @given(wishes=wishes, seed=st.integers(0, 2**32), payments=st.booleans())
    def tried(wishes: Any, seed: int, payments: bool) -> None:
        asyncio.run(_tried(list(wishes), random.Random(seed), payments=payments))

    tried()


async def _tried(wishes: Any, rolls: random.Random, *, payments: bool) -> None:
    async with opened(stock=STOCK, payments=payments) as world:
        customers = [await _customer(world, name) for name in ("Ada", "Nemo of Nowhere")]
        await world.hear("orders", "CustomerCreated")
        orders: list[str] = []
        while wishes or rolls.random() < 0.98:
            await _step(world, wishes, orders, customers, rolls)
        await world.settle(rolls.shuffle)

        await sums.check(lambda name, query: world.benches[name].rows(query), world.log, payments=payments)


async def _step(world: World, wishes: Any, orders: list[str], customers: list[str], rolls: random.Random) -> None:
    """Do one of the things that may happen next."""
    crash = rolls.random() < 0.15
    waiting = [(name, index) for name, indexes in world.undelivered.items() for index in indexes]
    possible = ["publish"] * 3 + ["place"] * bool(wishes) + ["cancel"] * bool(orders) + ["again"] * bool(world.log)
    match rolls.choice(possible + ["deliver"] * min(len(waiting), 5)):
        case "place":
            nowhere, items = wishes.pop()
            body = [{"product": product, "quantity": quantity} for product, quantity in items]
            orders.append(await world.place(customer_id=customers[nowhere], items=body))
        case "cancel" if rolls.random() < 0.4:
            answer = await world.client.post(f"/orders/{rolls.choice(orders)}/cancel")
            assert answer.status_code in {200, 409}
        case "publish":
            await world.publish(rolls.choice(list(world.benches)), crash=crash)
        case "deliver":
            await world.deliver(*rolls.choice(waiting), crash=crash)
        case "again":
            event = rolls.choice(world.log)
            hears = [each for each in world.benches.values() if each.reaction and event.type in each.reaction.types]
            await rolls.choice(hears).take(event)


async def _customer(world: World, name: str) -> str:
    answer = await world.client.post("/customers", json={"name": name, "email": "ada@shop.example"})
    found: str = answer.json()["id"]
    return found
