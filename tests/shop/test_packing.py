"""Packing takes its time: an order that is cancelled meanwhile is not sent, and no parcel is forgotten."""

from datetime import timedelta
from pathlib import Path

from tests.shop import sums
from tests.shop.shops import Shop, ask, running
from tests.support.clock import ManualClock
from tests.support.waiting import until

PACKING = timedelta(seconds=2)


async def packing(shop: Shop, order: str) -> str:
    [shipment] = (await shop.get("/shipments", order=order))["shipments"]
    found: str = shipment["status"]
    return found


async def shipped(shop: Shop, order: str) -> None:
    orders = shop.settings.data / "orders.db"
    stands = f"SELECT status FROM orders WHERE id = '{order}'"
    await until(lambda: ask(orders, stands) == [("SHIPPED",)], what="the parcel")


async def test_a_parcel_is_sent_when_it_is_packed_and_not_before(tmp_path: Path) -> None:
    clock = ManualClock()
    async with running(tmp_path, clock=clock, packing=PACKING) as shop:
        order = await shop.place(await shop.customer(), book=1)
        await shop.at_rest()
        assert (await packing(shop, order), (await shop.order(order))["status"]) == ("PACKING", "RESERVED")
        clock.advance(PACKING - timedelta(milliseconds=1))
        await shop.at_rest()
        assert await packing(shop, order) == "PACKING"
        clock.advance(timedelta(milliseconds=1))
        await shipped(shop, order)


async def test_an_order_that_is_cancelled_while_it_is_packed_is_not_sent(tmp_path: Path) -> None:
    clock = ManualClock()
    async with running(tmp_path, clock=clock, packing=PACKING) as shop:
        order = await shop.place(await shop.customer(), book=1)
        await shop.at_rest()
        answer = await shop.client.post(f"/orders/{order}/cancel")
        assert (answer.status_code, answer.json()["status"]) == (200, "CANCELLED")
        await shop.at_rest()
        clock.advance(PACKING * 5)
        await shop.at_rest()
        assert await packing(shop, order) == "VOID"
        assert "ShippingConfirmed" not in await shop.types(order)
        await sums.check(shop.rows, await shop.happened())


async def test_a_parcel_that_was_being_packed_at_the_end_is_sent_after_the_next_start(tmp_path: Path) -> None:
    clock = ManualClock()
    async with running(tmp_path, clock=clock, packing=PACKING) as shop:
        order = await shop.place(await shop.customer(), book=1)
        await shop.at_rest()
    clock.advance(PACKING)
    async with running(tmp_path, clock=clock, packing=PACKING) as shop:
        await shipped(shop, order)
