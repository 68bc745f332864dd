"""What every event of an order carries, so that nobody who reads one has to ask for more."""

from typing import Any

import msgspec

from examples.shop.kit.events import Event

CURRENCY = "EUR"


class Customer(msgspec.Struct, frozen=True, kw_only=True):
    """Who ordered, as they were then. `phone` is in E.164, `locale` a language tag such as `de`."""

    id: str
    name: str
    email: str
    locale: str
    phone: str | None = None

    def __repr__(self) -> str:
        # Addresses must not reach a log line.
        return f"<customer {self.id}>"


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """So many of one product, at the price of that day."""

    product: str
    name: str
    quantity: int
    unit_price_cents: int


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """An order's facts. They do not change once it is placed."""

    order_id: str
    customer: Customer
    items: tuple[Item, ...]
    amount_cents: int
    currency: str = CURRENCY

    def data(self, **own: Any) -> dict[str, Any]:
        """Return the data of an event of this order, with what is the event's own."""
        return {**msgspec.to_builtins(self), **own}


def of(event: Event) -> Facts:
    """Return the facts in an event of an order. They are there: its data fits the schema."""
    return msgspec.convert(event.data, Facts)


def encode(facts: Facts) -> bytes:
    """Return the facts as they are kept in a column."""
    return msgspec.json.encode(facts)


def decode(kept: bytes) -> Facts:
    """Return what `encode` made."""
    return msgspec.json.decode(kept, type=Facts)
