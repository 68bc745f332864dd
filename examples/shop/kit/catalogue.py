"""What the shop sells. Each service that needs it begins with a copy of its own; none asks another."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """A product, its price, and whether there is any of it when the shop opens first."""

    id: str
    name: str
    price_cents: int
    stocked: bool = True


CATALOGUE = (
    Product(id="book", name="Book", price_cents=1990),
    Product(id="mug", name="Mug", price_cents=1250),
    Product(id="lamp", name="Lamp", price_cents=4900),
    Product(id="chair", name="Chair", price_cents=12900),
    # A price that a test card never pays.
    Product(id="trap", name="Trap", price_cents=1013),
    Product(id="unicorn", name="Unicorn", price_cents=99900, stocked=False),
)
