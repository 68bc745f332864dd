"""Every branch of the saga, on the embedded log: with and without payment, on topics of their own and on one."""

import json
from collections.abc import AsyncIterator
from importlib.resources import files
from pathlib import Path
from typing import Any
from uuid import UUID

import jsonschema
import pytest
import pytest_asyncio

from examples.shop.kit import events
from tests.shop import sums
from tests.shop.shops import ADA, Shop, running
from tests.support.logs import NOW, reading

WAYS: dict[str, dict[str, Any]] = {
    "topics": {},
    "one-topic": {"topic": "shop.events"},
    "no-payment": {"payments": False},
    "no-payment-one-topic": {"payments": False, "topic": "shop.events"},
}


pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(params=WAYS.values(), ids=WAYS.keys(), scope="module", loop_scope="module")
async def shop(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Shop]:
    """One shop for all branches: what one order does is no other's business."""
    async with running(tmp_path_factory.mktemp("shop"), **request.param) as shop:
        yield shop


def path(order: Any) -> list[str]:
    """Return the statuses that an order has had, each once."""
    return list(dict.fromkeys(entry["status"] for entry in order["history"]))


async def available(shop: Shop) -> dict[str, int]:
    return {each["product"]: each["available"] for each in (await shop.get("/stock"))["stock"]}


async def test_an_order_is_paid_reserved_and_shipped(shop: Shop) -> None:
    before = await available(shop)
    placed = await shop.place(await shop.customer(), book=2, mug=1)
    await shop.at_rest()

    order = await shop.order(placed)
    paid = shop.settings.payments
    assert path(order) == ["PENDING", *(["PAID"] if paid else []), "RESERVED", "SHIPPED"]
    assert (order["amount_cents"], order["paid_cents"]) == (5230, 5230 if paid else 0)
    assert await available(shop) == {**before, "book": before["book"] - 2, "mug": before["mug"] - 1}
    happened = await shop.types(placed)
    assert happened == {"OrderPlaced", "InventoryUpdated", "ShippingConfirmed"} | (
        {"PaymentConfirmed"} if paid else set()
    )
    [shipment] = (await shop.get("/shipments", order=placed))["shipments"]
    assert shipment["status"] == "SENT"
    assert shipment["tracking"]


async def test_what_a_card_does_not_pay_is_cancelled_and_nothing_is_reserved(shop: Shop) -> None:
    before = await available(shop)
    placed = await shop.place(await shop.customer(), trap=1)
    await shop.at_rest()

    order = await shop.order(placed)
    if not shop.settings.payments:
        assert order["status"] == "SHIPPED"
        return
    assert (order["status"], order["reason"]) == ("CANCELLED", "payment_not_authorized")
    assert await shop.types(placed) == {"OrderPlaced", "PaymentNotAuthorized", "OrderCancelled"}
    assert [payment["status"] for payment in (await shop.get("/payments", order=placed))["payments"]] == ["REFUSED"]
    assert await available(shop) == before


async def test_what_is_not_in_stock_is_refunded_and_nothing_of_the_order_is_reserved(shop: Shop) -> None:
    before = await available(shop)
    placed = await shop.place(await shop.customer(), book=1, unicorn=2)
    await shop.at_rest()

    order = await shop.order(placed)
    paid = 1990 + 2 * 99900 if shop.settings.payments else 0
    assert (order["status"], order["reason"], order["refunded_cents"]) == ("CANCELLED", "out_of_stock", paid)
    happened = {event.type: event.data for event in await shop.happened(placed)}
    short = happened["InventoryInsufficient"]
    assert (short["product"], short["requested"], short["available"]) == ("unicorn", 2, 0)
    assert happened["OrderCancelled"]["refund_cents"] == paid
    assert ("PaymentRefunded" in happened) == shop.settings.payments
    assert "InventoryReleased" not in happened
    assert await available(shop) == before


async def test_what_cannot_be_shipped_is_refunded_and_released(shop: Shop) -> None:
    before = await available(shop)
    placed = await shop.place(await shop.customer(name="Nemo of Nowhere"), lamp=3)
    await shop.at_rest()

    order = await shop.order(placed)
    paid = 14700 if shop.settings.payments else 0
    assert (order["status"], order["reason"], order["refunded_cents"]) == ("CANCELLED", "shipping_failed", paid)
    happened = await shop.types(placed)
    assert {"InventoryUpdated", "ShippingFailed", "OrderCancelled", "InventoryReleased"} < happened
    assert ("PaymentRefunded" in happened) == shop.settings.payments
    assert await available(shop) == before
    assert [entry["event"] for entry in order["history"]].count("InventoryReleased") == 1


async def test_many_orders_of_all_kinds_add_up(shop: Shop) -> None:
    customers = [await shop.customer(), await shop.customer(name="Nemo of Nowhere")]
    await shop.client.put("/stock/mug", json={"available": 7})
    orders = [
        await shop.place(customers[number % 2], **{product: 1 + number % 3})
        for number, product in enumerate(["book", "mug", "trap", "unicorn", "mug", "mug", "book", "mug", "mug", "mug"])
    ]
    assert (await shop.client.post(f"/orders/{orders[6]}/cancel")).status_code in {200, 409}
    await shop.at_rest()

    await sums.check(shop.rows, await shop.happened(), payments=shop.settings.payments)
    ends = {order["status"] for order in (await shop.get("/orders"))["orders"]}
    assert ends == {"SHIPPED", "CANCELLED"}


async def test_a_shop_that_is_opened_again_goes_on_where_it_was(tmp_path: Path) -> None:
    async with running(tmp_path, only={"customers", "orders"}) as shop:
        placed = await shop.place(await shop.customer(), book=1)
        assert (await shop.order(placed))["status"] == "PENDING"
    async with running(tmp_path) as shop:
        await shop.at_rest()
        assert (await shop.order(placed))["status"] == "SHIPPED"
    async with running(tmp_path) as shop:
        await shop.at_rest()
        assert len((await shop.order(placed))["history"]) == 4
        await sums.check(shop.rows, await shop.happened())


async def test_all_events_are_as_their_schemas_say_and_carry_what_a_notification_needs(tmp_path: Path) -> None:
    async with running(tmp_path) as shop:
        ada, nemo = await shop.customer(phone=None), await shop.customer(name="Nemo of Nowhere")
        for customer, product in ((ada, "book"), (ada, "trap"), (ada, "unicorn"), (nemo, "mug")):
            await shop.place(customer, **{product: 1})
        await shop.client.put(f"/customers/{ada}", json=ADA)
        await shop.client.delete(f"/customers/{nemo}")
        await shop.at_rest()
        happened = await shop.happened()

    assert {event.type for event in happened} == set(events.TYPES)
    for event in happened:
        schema = json.loads((files("examples.shop") / "events" / f"{event.type}.json").read_text())
        jsonschema.Draft202012Validator(schema).validate(event.data)
        assert event.data.keys() == schema["properties"].keys()
        assert set(schema["required"]) == schema["properties"].keys()


async def test_records_are_cloudevents_in_binary_mode_keyed_by_order(tmp_path: Path) -> None:
    async with running(tmp_path) as shop:
        placed = await shop.place(await shop.customer(), book=1)
        await shop.at_rest()
        async with reading(shop.log, "shop.orders") as subscription:
            [record] = await subscription.fetch(limit=10, wait=NOW)

    headers = dict(record.headers)
    assert record.key == placed.encode()
    assert headers["ce_subject"] == placed.encode()
    assert headers["ce_source"] == b"/shop/orders"
    assert headers["ce_type"] == b"OrderPlaced"
    assert headers["ce_dataschema"] == b"urn:tocsin-shop:schema:OrderPlaced:1"
    assert headers["content-type"] == b"application/json"
    assert str(UUID(headers["ce_id"].decode())) == headers["ce_id"].decode()
