"""What must add up in every shop at rest, whatever happened to it: money, stock, parcels and the ends of orders."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from examples.shop.kit.events import Event

Query = Callable[[str, str], Awaitable[Sequence[tuple[Any, ...]]]]


async def check(query: Query, happened: Sequence[Event], *, payments: bool = True) -> None:
    """Fail unless all adds up. `query` asks a service's database; `happened` are all events, repeats too."""
    once = {event.id: event for event in happened}.values()
    orders = {each[0]: each[1:] for each in await query("orders", "SELECT id, status, paid_cents FROM orders")}
    shipped = {order for order, (status, _) in orders.items() if status == "SHIPPED"}

    assert {status for status, _ in orders.values()} <= {"SHIPPED", "CANCELLED"}
    assert await query("orders", "SELECT * FROM waiting") == []
    await _parcels(query, shipped)
    await _stock(query, shipped, once)
    await _money(query, shipped if payments else set(), once)
    cancellations = [event.subject for event in once if event.type == "OrderCancelled"]
    assert sorted(cancellations) == sorted(orders.keys() - shipped)


async def _parcels(query: Query, shipped: set[str]) -> None:
    sent = await query("shipping", "SELECT order_id FROM shipments WHERE status = 'SENT'")
    assert {order for (order,) in sent} == shipped


async def _stock(query: Query, shipped: set[str], once: Any) -> None:
    left: dict[str, int] = dict(await query("inventory", "SELECT product, available FROM stock"))
    moved: dict[str, int] = dict(
        await query("inventory", "SELECT product, sum(change) FROM movements GROUP BY product")
    )
    counted: dict[str, int] = dict(
        await query("inventory", "SELECT product, sum(change) FROM movements WHERE order_id IS NULL GROUP BY product")
    )
    gone = dict.fromkeys(left, 0)
    for event in once:
        if event.type == "OrderPlaced" and event.subject in shipped:
            for item in event.data["items"]:
                gone[item["product"]] += item["quantity"]

    assert left == moved
    assert min(left.values()) >= 0
    assert left == {product: counted[product] - gone[product] for product in left}


async def _money(query: Query, paid: set[str], once: Any) -> None:
    rows = await query("payments", "SELECT order_id, payment_id, status, amount_cents FROM payments")
    kept = {order: amount for order, _, status, amount in rows if status == "TAKEN"}
    amounts = {event.subject: event.data["amount_cents"] for event in once if event.type == "OrderPlaced"}
    taken = [event.data["payment_id"] for event in once if event.type == "PaymentConfirmed"]
    refunded = [event.data["payment_id"] for event in once if event.type == "PaymentRefunded"]

    assert kept == {order: amounts[order] for order in paid}
    assert len(set(taken)) == len(taken)
    assert len(set(refunded)) == len(refunded)
    assert {name for _, name, status, _ in rows if status == "REFUNDED"} == set(refunded)
    assert {name for _, name, _, _ in rows if name} == set(taken)
