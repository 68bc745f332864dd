"""The forms in which an order may be asked for: the shop's own, and those of systems that came before it."""

from decimal import Decimal
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, Tag

from examples.shop.kit.texts import Body, Email, Id, LooseId, Name
from examples.shop.orders import wanted
from examples.shop.orders.wanted import Line, Wanted

MOST_ITEMS = 20
MOST_OF_ONE = 100
_MOST_AMOUNT = Decimal(1_000_000)
_ENDED = frozenset({"paid", "reserved", "shipped", "cancelled", "canceled"})
# What is ordered where the form does not say it.
_DEFAULT = "book"

Quantity = Annotated[int, Field(ge=1, le=MOST_OF_ONE)]


class Item(Body):
    """So many of a product, by its id."""

    product: Name
    quantity: Quantity


def _apart(items: list[Item]) -> list[Item]:
    if len({item.product.casefold() for item in items}) < len(items):
        raise ValueError("must name each product once")
    return items


class Order(Body):
    """An order of a customer. Give it an id, and a request that is repeated places it once."""

    customer_id: Id
    items: Annotated[list[Item], Field(min_length=1, max_length=MOST_ITEMS), AfterValidator(_apart)]
    order_id: Id | None = None

    def wanted(self) -> Wanted:
        """Return what is wanted."""
        return Wanted(
            order_id=self.order_id,
            customer_id=self.customer_id,
            pointer="/customer_id",
            lines=[
                Line(product=item.product, quantity=item.quantity, pointer=f"/items/{index}/product")
                for index, item in enumerate(self.items)
            ],
            fingerprint=wanted.fingerprint(self),
        )


class ByName(Body):
    """An order by names. The customer is a guest of the shop."""

    customerName: Name  # noqa: N815 - as it is sent
    productName: Name  # noqa: N815
    quantity: Quantity

    def wanted(self) -> Wanted:
        """Return what is wanted."""
        customer_id = f"guest-{wanted.slug(self.customerName)}"
        return Wanted(
            order_id=None,
            customer_id=customer_id,
            pointer="/customerName",
            lines=[Line(product=self.productName, quantity=self.quantity, pointer="/productName")],
            fingerprint=wanted.fingerprint(self),
            guest=wanted.guest(customer_id, name=self.customerName),
        )


def _new(status: str) -> str:
    if status.casefold() in _ENDED:
        raise ValueError("must be the status of a new order, such as PENDING")
    return status


class ById(Body):
    """An order by ids. It names no product, and is of one book."""

    orderId: LooseId  # noqa: N815 - as it is sent
    userId: LooseId  # noqa: N815
    status: Annotated[Name, AfterValidator(_new)]

    def wanted(self) -> Wanted:
        """Return what is wanted."""
        return Wanted(
            order_id=self.orderId,
            customer_id=self.userId,
            pointer="/userId",
            lines=[Line(product=_DEFAULT, quantity=1, pointer="/orderId")],
            fingerprint=wanted.fingerprint(self),
            guest=wanted.guest(self.userId, name=self.userId),
        )


def _number(value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("must be a number")  # noqa: TRY004 - what pydantic words
    return Decimal(str(value))


class Bought(Body):
    """An order of one item at a price that is given. One that ends in .13 is refused by the bank."""

    userId: LooseId  # noqa: N815 - as it is sent
    userEmail: Email  # noqa: N815
    item: Name
    amount: Annotated[
        Decimal,
        Field(gt=0, le=_MOST_AMOUNT, decimal_places=2, allow_inf_nan=False),
        BeforeValidator(_number, json_schema_input_type=float),
    ]

    def wanted(self) -> Wanted:
        """Return what is wanted."""
        name = self.userEmail.partition("@")[0]
        price = int(self.amount * 100)
        return Wanted(
            order_id=None,
            customer_id=self.userId,
            pointer="/userId",
            lines=[Line(product=self.item, quantity=1, pointer="/item", price_cents=price)],
            fingerprint=wanted.fingerprint(self),
            guest=wanted.guest(self.userId, name=name, email=self.userEmail),
            email=self.userEmail,
        )


def _form(body: Any) -> str:
    # In angle brackets, so that a pointer to what is wrong leaves it out.
    return "<by id>" if isinstance(body, dict) and "orderId" in body else "<by name>"


Compatible = Annotated[
    Annotated[ByName, Tag("<by name>")] | Annotated[ById, Tag("<by id>")],
    Discriminator(_form),
]
