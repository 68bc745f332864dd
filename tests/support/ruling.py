"""Rules in a folder of the test, and the events of a shop that they are for."""

from pathlib import Path
from typing import Any

import msgspec

from tocsin.record import Headers, Record

TOPIC = "shop.orders"
EXAMPLE = Path(__file__).parents[2] / "configs" / "rules" / "orders.toml.example"
CONFIRMATION = """
[[rule]]
name = "confirmation"
type = "OrderPlaced"
template = "order-confirmation"
channels = ["email"]
[rule.recipient]
id = { pick = "data.customer.id" }
email = { pick = "data.customer.email" }
locale = { pick = "data.customer.locale" }
[rule.data]
order = { pick = "data.order_id" }
items = { pick = "data.items[].{name: name, quantity: quantity}" }
[rule.metadata]
order_id = { pick = "data.order_id" }
"""
WORDS = """
[[rule]]
name = "words"
type = "OrderPlaced"
channels = ["email"]
[rule.recipient]
email = { pick = "data.customer.email || 'desk@example.test'" }
[rule.content.email]
subject = "An order"
text = { pick = "data.note" }
"""


def order(number: str, **changes: Any) -> dict[str, Any]:
    """Return the data of an order that was placed."""
    return {
        "order_id": number,
        "customer": {"id": "cust-42", "email": "ada@example.test", "locale": "en"},
        "items": [{"name": "mug", "quantity": 1, "unit_price_cents": 1250}],
        "amount_cents": 1250,
        **changes,
    }


def event(number: str = "1", *, data: Any = None, **attributes: str) -> dict[str, Any]:
    """Return the event of an order."""
    given = {"specversion": "1.0", "id": number, "source": "/shop/orders", "type": "OrderPlaced", **attributes}
    return {**given, "data": order(number) if data is None else data}


def structured(document: Any, *, topic: str = TOPIC) -> Record:
    """Return an event as a record in structured mode."""
    headers: Headers = (("content-type", b"application/cloudevents+json"),)
    return Record(topic=topic, key=None, value=msgspec.json.encode(document), headers=headers)


def binary(document: Any, *, topic: str = TOPIC) -> Record:
    """Return an event as a record in binary mode."""
    headers = tuple((f"ce_{name}", str(value).encode()) for name, value in document.items() if name != "data")
    content: Headers = (("content-type", b"application/json"),)
    return Record(topic=topic, key=b"k", value=msgspec.json.encode(document["data"]), headers=(*headers, *content))


def folder(root: Path, **files: str) -> Path:
    """Write rule files into a folder; return it."""
    root.mkdir(exist_ok=True)
    for name, text in files.items():
        (root / f"{name}.toml").write_text(text, encoding="utf-8")
    return root
