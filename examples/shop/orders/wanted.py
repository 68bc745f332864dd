"""What a customer wants to order, whichever form of a request it came in. Pure."""

import hashlib
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from examples.shop.kit.facts import Customer
from examples.shop.kit.texts import Body

_LONGEST = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """So many of a product, which the request names at `pointer`. `price_cents` None is the list's price."""

    product: str
    quantity: int
    pointer: str
    price_cents: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """An order to be placed.

    `guest` is who the customer is if nobody is known by their id; None refuses such a one. `email` goes before the
    one that is known. `pointer` is where the request names the customer. `fingerprint` is of the whole request.
    """

    order_id: str | None
    customer_id: str
    pointer: str
    lines: Sequence[Line]
    fingerprint: str
    guest: Customer | None = None
    email: str | None = None


def fingerprint(body: Body) -> str:
    """Return what two requests have in common if and only if they ask for the same, in the same form."""
    asked = msgspec.json.encode([type(body).__name__, body.model_dump(mode="json")], order="deterministic")
    return hashlib.sha256(asked).hexdigest()


def guest(customer_id: str, *, name: str, email: str | None = None) -> Customer:
    """Return somebody who orders without having joined. Without an address, their mail goes to one of the shop's."""
    return Customer(id=customer_id, name=name, email=email or f"{slug(name)}@shop.example", locale="en")


def slug(name: str) -> str:
    """Return a name as it may stand in an address or an id: what is left of it in ASCII, else a hash of it."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    kept = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:_LONGEST].strip("-")
    return kept or hashlib.blake2b(name.encode(), digest_size=6).hexdigest()
