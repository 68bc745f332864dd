"""What is ordered, by whom, and what has to become of it. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from random import Random

from examples.shop.orders.domain import Reason, Status

Ending = tuple[Status, Reason | None]

SCARCE = "chair"
_PLENTY = ("book", "mug", "lamp")
_MOST = 3
# One in so many has a phone, and gets a text as well.
_PHONES = 3
_SHIPPED: Ending = (Status.SHIPPED, None)
_SOLD_OUT: Ending = (Status.CANCELLED, Reason.STOCK)


class Fate(StrEnum):
    """What is in store for an order."""

    SHIPPED = "shipped"
    REFUSED = "payment refused"
    SOLD_OUT = "sold out"
    CONTESTED = "of what not all can have"
    NOWHERE = "shipped to nowhere"
    CANCELLED = "cancelled by the customer"


# Of each hundred orders, so many; all others are shipped.
_SHARES = {Fate.REFUSED: 10, Fate.SOLD_OUT: 8, Fate.CONTESTED: 10, Fate.NOWHERE: 8, Fate.CANCELLED: 10}
# A customer may come too late to cancel, and of the last chairs nobody knows who gets them.
ENDINGS: Mapping[Fate, frozenset[Ending]] = {
    Fate.SHIPPED: frozenset({_SHIPPED}),
    Fate.REFUSED: frozenset({(Status.CANCELLED, Reason.PAYMENT)}),
    Fate.SOLD_OUT: frozenset({_SOLD_OUT}),
    Fate.CONTESTED: frozenset({_SHIPPED, _SOLD_OUT}),
    Fate.NOWHERE: frozenset({(Status.CANCELLED, Reason.SHIPPING)}),
    Fate.CANCELLED: frozenset({_SHIPPED, (Status.CANCELLED, Reason.CUSTOMER)}),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """One customer, and their one order: the quantity of each product."""

    order_id: str
    fate: Fate
    name: str
    email: str
    phone: str | None
    locale: str
    items: Mapping[str, int]


def planned(count: int, *, random: Random) -> list[Planned]:
    """Return so many orders, the doomed among them."""
    fates = [fate for fate, share in _SHARES.items() for _ in range(-(-count * share // 100))][:count]
    fates += [Fate.SHIPPED] * (count - len(fates))
    random.shuffle(fates)
    return [_planned(number, fate, random) for number, fate in enumerate(fates, start=1)]


def chairs(orders: Sequence[Planned]) -> int:
    """Return how many of the scarce product there are to be: for half of those who want one."""
    return sum(order.items.get(SCARCE, 0) for order in orders) // 2


def _planned(number: int, fate: Fate, random: Random) -> Planned:
    return Planned(
        order_id=f"load-{number:05}",
        fate=fate,
        name=f"Nowhere Man {number}" if fate is Fate.NOWHERE else f"Customer {number}",
        email=f"customer-{number:05}@load.example",
        phone=f"+4915111{number:06}" if number % _PHONES == 0 else None,
        locale=random.choice(("en", "de")),
        items=_items(fate, random),
    )


def _items(fate: Fate, random: Random) -> Mapping[str, int]:
    match fate:
        case Fate.REFUSED:
            return {"trap": 1}
        case Fate.SOLD_OUT:
            # Something that is there, and must come back, beside what is not.
            return {"book": 1, "unicorn": 1}
        case Fate.CONTESTED:
            return {SCARCE: random.randint(1, _MOST)}
    products = random.sample(_PLENTY, random.randint(1, len(_PLENTY)))
    return {product: random.randint(1, _MOST) for product in products}
