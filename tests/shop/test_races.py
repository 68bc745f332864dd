"""Cancelling at every status, and events that come early, late or twice: decided by the order's own state."""

from collections.abc import AsyncIterator

import msgspec
import pytest

from examples.shop.kit.events import Event
from examples.shop.kit.inbox import Result
from tests.shop import sums
from tests.shop.world import World, opened


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with opened() as world:
        yield world


async def placed(world: World, **quantities: int) -> str:
    """Place an order of a customer who has just joined."""
    joined = await world.client.post("/customers", json={"name": "Ada", "email": "ada@shop.example"})
    await world.hear("orders", "CustomerCreated")
    items = [{"product": product, "quantity": quantity} for product, quantity in quantities.items()]
    return await world.place(customer_id=joined.json()["id"], items=items or [{"product": "book", "quantity": 1}])


async def cancel(world: World, order: str) -> int:
    return (await world.client.post(f"/orders/{order}/cancel")).status_code


async def settled(world: World) -> None:
    await world.settle()
    await sums.check(lambda name, query: world.benches[name].rows(query), world.log)


async def event(world: World, kind: str) -> Event:
    """Return the last event of a type."""
    return next(each for each in reversed(world.log) if each.type == kind)


STEPS = {
    "PENDING": [],
    "PAID": [("payments", "OrderPlaced"), ("orders", "PaymentConfirmed")],
    "RESERVED": [
        ("payments", "OrderPlaced"),
        ("orders", "PaymentConfirmed"),
        ("inventory", "PaymentConfirmed"),
        ("orders", "InventoryUpdated"),
    ],
}


@pytest.mark.parametrize("status", STEPS)
async def test_a_customer_may_cancel_until_the_order_is_shipped(world: World, status: str) -> None:
    order = await placed(world)
    for service, kind in STEPS[status]:
        await world.hear(service, kind)
    assert await world.status(order) == status

    assert await cancel(world, order) == 200
    for service in ("payments", "inventory", "shipping"):
        await world.hear(service, "OrderCancelled")
    await settled(world)

    assert await world.status(order) == "CANCELLED"
    cancelled = (await event(world, "OrderCancelled")).data
    paid = 0 if status == "PENDING" else 1990
    assert (cancelled["reason"], cancelled["refund_cents"]) == ("cancelled_by_customer", paid)
    assert ("PaymentRefunded" in world.types(order)) == (status != "PENDING")
    assert ("InventoryReleased" in world.types(order)) == (status == "RESERVED")
    assert "ShippingConfirmed" not in world.types(order)


async def test_a_shipped_order_cannot_be_cancelled_nor_one_that_ended_otherwise(world: World) -> None:
    shipped, refused = await placed(world), await placed(world, trap=1)
    await world.settle()

    assert await cancel(world, shipped) == 409
    assert await cancel(world, refused) == 409
    assert await cancel(world, "ord_unknown") == 404
    await settled(world)
    assert await world.status(shipped) == "SHIPPED"


async def test_cancelling_twice_cancels_once(world: World) -> None:
    order = await placed(world)
    assert [await cancel(world, order), await cancel(world, order)] == [200, 200]
    await settled(world)
    assert world.types(order).count("OrderCancelled") == 1


async def test_an_order_cancelled_before_its_payment_was_asked_for_is_never_paid(world: World) -> None:
    order = await placed(world)
    await cancel(world, order)
    await world.hear("payments", "OrderCancelled")
    await settled(world)
    assert await world.benches["payments"].rows("SELECT status FROM payments") == [("VOID",)]
    assert world.types(order) == ["OrderPlaced", "OrderCancelled"]


async def test_a_payment_that_was_under_way_when_the_order_was_cancelled_is_refunded(world: World) -> None:
    order = await placed(world)
    await world.hear("payments", "OrderPlaced")
    await cancel(world, order)
    await settled(world)
    shown = (await world.client.get(f"/orders/{order}")).json()
    assert (shown["status"], shown["paid_cents"], shown["refunded_cents"]) == ("CANCELLED", 1990, 1990)


async def test_stock_that_is_asked_for_after_the_cancellation_was_heard_is_not_reserved(world: World) -> None:
    order = await placed(world)
    await world.hear("payments", "OrderPlaced")
    await cancel(world, order)
    await world.hear("inventory", "OrderCancelled")
    await settled(world)
    assert "InventoryUpdated" not in world.types(order)
    assert await world.benches["inventory"].value("SELECT count(*) FROM movements WHERE order_id IS NOT NULL") == 0


async def test_a_parcel_that_is_asked_for_after_the_cancellation_was_heard_is_not_sent(world: World) -> None:
    order = await placed(world)
    for service, kind in STEPS["RESERVED"]:
        await world.hear(service, kind)
    await cancel(world, order)
    await world.hear("shipping", "OrderCancelled")
    await settled(world)
    assert await world.benches["shipping"].rows("SELECT status FROM shipments") == [("VOID",)]


async def test_a_parcel_that_went_just_as_the_order_was_cancelled_is_recalled(world: World) -> None:
    order = await placed(world)
    for service, kind in STEPS["RESERVED"]:
        await world.hear(service, kind)
    await world.hear("shipping", "InventoryUpdated")
    assert await cancel(world, order) == 200
    await settled(world)
    assert await world.status(order) == "CANCELLED"
    assert await world.benches["shipping"].rows("SELECT status FROM shipments") == [("RECALLED",)]


async def test_events_that_come_before_their_step_wait_and_are_taken_up_in_turn(world: World) -> None:
    order = await placed(world)
    for service, kind in (
        ("payments", "OrderPlaced"),
        ("inventory", "PaymentConfirmed"),
        ("shipping", "InventoryUpdated"),
    ):
        await world.hear(service, kind)
    await world.publish("shipping")

    orders = world.benches["orders"]
    for kind in ("ShippingConfirmed", "InventoryUpdated"):
        assert await orders.take(await event(world, kind)) is Result.EARLY
    assert await world.status(order) == "PENDING"
    assert await orders.value("SELECT count(*) FROM waiting") == 2
    assert await orders.take(await event(world, "PaymentConfirmed")) is Result.APPLIED

    shown = (await world.client.get(f"/orders/{order}")).json()
    assert [entry["status"] for entry in shown["history"]] == ["PENDING", "PAID", "RESERVED", "SHIPPED"]
    assert await orders.value("SELECT count(*) FROM waiting") == 0


async def test_what_waits_for_an_order_that_is_cancelled_does_not_wait_for_ever(world: World) -> None:
    order = await placed(world)
    await world.hear("payments", "OrderPlaced")
    await world.hear("inventory", "PaymentConfirmed")
    await world.publish("inventory")
    await world.benches["orders"].take(await event(world, "InventoryUpdated"))
    await cancel(world, order)

    assert await world.benches["orders"].value("SELECT count(*) FROM waiting") == 0
    await settled(world)


@pytest.mark.parametrize("again", ["the same event", "another event of the same step"])
async def test_what_comes_twice_is_dropped(world: World, again: str) -> None:
    order = await placed(world)
    await world.settle()
    for kind, heard in {
        "OrderPlaced": "payments",
        "PaymentConfirmed": "inventory",
        "InventoryUpdated": "shipping",
        "ShippingConfirmed": "orders",
    }.items():
        same = await event(world, kind)
        repeated = same if again == "the same event" else msgspec.structs.replace(same, id=f"another-{kind}")
        expected = Result.REPEATED if repeated is same else Result.IGNORED
        assert await world.benches[heard].take(repeated) is expected
    await settled(world)
    assert len(world.types(order)) == 4


async def test_an_event_that_was_told_twice_has_the_same_id(world: World) -> None:
    await placed(world)
    await world.publish("orders", crash=True)
    await world.publish("orders")
    [first, second] = [each for each in world.log if each.type == "OrderPlaced"]
    assert first == second
    await settled(world)


async def test_a_crash_before_the_commit_leaves_nothing_behind(world: World) -> None:
    order = await placed(world)
    await world.publish("orders")
    index = len(world.log) - 1
    await world.deliver("payments", index, crash=True)
    for table in ("payments", "outbox", "inbox"):
        assert await world.benches["payments"].value(f"SELECT count(*) FROM {table}") == 0
    await settled(world)
    assert await world.status(order) == "SHIPPED"


async def test_an_event_of_an_order_that_nobody_placed_is_passed_by(world: World) -> None:
    await placed(world)
    await world.settle()
    strange = msgspec.structs.replace(await event(world, "PaymentConfirmed"), id="strange", subject="ord_unknown")
    assert await world.benches["orders"].take(strange) is Result.IGNORED
    assert await world.benches["orders"].value("SELECT count(*) FROM waiting") == 0


async def test_an_older_version_of_a_customer_does_not_undo_a_newer_one(world: World) -> None:
    joined = (await world.client.post("/customers", json={"name": "Ada", "email": "ada@shop.example"})).json()["id"]
    await world.client.put(f"/customers/{joined}", json={"name": "Ada King", "email": "king@shop.example"})
    await world.publish("customers")
    [created, updated] = world.log
    orders = world.benches["orders"]
    assert await orders.take(updated) is Result.APPLIED
    assert await orders.take(created) is Result.IGNORED

    order = await world.place(customer_id=joined, items=[{"product": "mug", "quantity": 1}])
    assert (await world.client.get(f"/orders/{order}")).json()["customer"]["email"] == "king@shop.example"
    await world.client.delete(f"/customers/{joined}")
    await world.publish("customers")
    await orders.take(world.log[-1])
    assert await orders.take(msgspec.structs.replace(updated, id="late")) is Result.IGNORED
    refused = await world.client.post(
        "/orders", json={"customer_id": joined, "items": [{"product": "mug", "quantity": 1}]}
    )
    assert refused.status_code == 422
    assert await orders.value("SELECT count(details) FROM customers") == 0
