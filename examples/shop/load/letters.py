"""The mails and texts that the shop's events ask for, as the rules in `gateway/rules` say, and those that came.

This is said here once more, and not read from the rules: what is checked must not be its own measure.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from examples.shop.load.books import Told

_TEMPLATES = {
    "CustomerCreated": "welcome",
    "OrderPlaced": "order-confirmation",
    "PaymentNotAuthorized": "payment-refused",
    "InventoryInsufficient": "out-of-stock",
    "ShippingConfirmed": "shipping-confirmation",
    "OrderCancelled": "order-cancelled",
}
# Whose order is cancelled for another reason has had a mail about that.
_TOLD_OF = frozenset({"shipping_failed", "cancelled_by_customer"})
_SUBJECT = "email.subject.txt"


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """A mail: its template, and to whom. Each customer of the load has one order, so that says what it is about."""

    template: str
    to: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """What the mail server took: each mail once, and how many came a second time."""

    mails: Mapping[Letter, int]
    second: int


def mails_for(events: Iterable[Told]) -> Counter[Letter]:
    """Return the mails that events ask for."""
    return Counter(
        Letter(template=template, to=each.data["customer"]["email"])
        for each in events
        if (template := _TEMPLATES.get(each.type)) is not None and _wants_mail(each)
    )


def texts_for(events: Iterable[Told]) -> Counter[str]:
    """Return the texts that events ask for, by phone number."""
    phones = [each.data["customer"]["phone"] for each in events if each.type == "ShippingConfirmed"]
    return Counter(phone for phone in phones if phone is not None)


def taken(mails: Iterable[tuple[str, str, str]], templates: Path) -> Post:
    """Return what came. `mails` are recipient, subject and Message-ID of each; copies have the same Message-ID."""
    beginnings = _beginnings(templates)
    first: dict[tuple[str, str], Letter] = {}
    second = 0
    for to, subject, message_id in mails:
        if (to, message_id) in first:
            second += 1
        else:
            first[to, message_id] = _letter(beginnings, to, subject)
    return Post(mails=Counter(first.values()), second=second)


def _wants_mail(event: Told) -> bool:
    if event.type != "OrderCancelled":
        return True
    return event.data["refund_cents"] > 0 or event.data["reason"] in _TOLD_OF


def _letter(beginnings: Mapping[str, str], to: str, subject: str) -> Letter:
    found = (template for beginning, template in beginnings.items() if subject.startswith(beginning))
    return Letter(template=next(found, "none of the shop's"), to=to)


def _beginnings(templates: Path) -> Mapping[str, str]:
    """Return what the subjects of each template begin with, in each language, up to the first value in them."""
    paths = sorted(templates.glob(f"*/*/{_SUBJECT}"))
    return {path.read_text(encoding="utf-8").partition("{")[0].strip(): path.parts[-3] for path in paths}
