"""The sums: what must be equal to what, once everything has ended. Pure."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from examples.shop.inventory.domain import quantities
from examples.shop.load import letters
from examples.shop.load.books import Books, Order
from examples.shop.load.letters import Letter, Post
from examples.shop.load.plan import ENDINGS, Ending, Planned
from examples.shop.orders.domain import Reason, Status
from examples.shop.payments.domain import Status as PaymentStatus

T = TypeVar("T")

_ENDED = frozenset({Status.SHIPPED, Status.CANCELLED})
_PAID = frozenset({PaymentStatus.TAKEN, PaymentStatus.REFUNDED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Sum:
    """Two figures that must be the same; with `most` the first may be smaller.

    `astray` is what keeps the sum from being right though it comes out even: one too many here for one missing there.
    """

    what: str
    found: int
    wanted: int
    most: bool = False
    astray: int = 0

    @property
    def right(self) -> bool:
        """Whether it is as it must be."""
        return not self.astray and (self.found <= self.wanted if self.most else self.found == self.wanted)

    def line(self) -> str:
        """Return it as a line."""
        sign = "≤" if self.most else "="
        astray = f", {self.astray} astray" if self.astray else ""
        return f"{'ok   ' if self.right else 'WRONG'}  {self.what:<58} {self.found:>12,} {sign} {self.wanted:,}{astray}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Came:
    """What the providers took: the mails, and how many texts by phone number."""

    post: Post
    texts: Mapping[str, int]


def all_came(books: Books, came: Came) -> bool:
    """Return whether every mail and every text that the books ask for has come."""
    mails, texts = letters.mails_for(books.events), letters.texts_for(books.events)
    return not (mails - Counter(came.post.mails)) and not (texts - Counter(came.texts))


def reckoned(
    plan: Sequence[Planned], books: Books, came: Came, *, opened: Mapping[str, int], excused: int
) -> list[Sum]:
    """Return all sums. `opened` is the stock at the start, `excused` the second sends that kills may cause."""
    return [
        *_of_orders(plan, books),
        *_of_money(books),
        *_of_stock(books, opened),
        Sum(what="events that are in an outbox still", found=books.untold, wanted=0),
        Sum(what="events that still wait for their step", found=books.early, wanted=0),
        Sum(what="events that nobody could read", found=books.unreadable, wanted=0),
        *_of_mails(books, came.post),
        *_of_texts(books, came),
        Sum(what="second sends, of what was in flight at the kills", found=_second(came), wanted=excused, most=True),
    ]


def _of_orders(plan: Sequence[Planned], books: Books) -> Iterator[Sum]:
    yield Sum(what="orders placed, and in the books", found=len(books.orders), wanted=len(plan))
    ended = sum(order.status in _ENDED for order in books.orders.values())
    astray = sum(_ending(books.orders.get(each.order_id)) not in ENDINGS[each.fate] for each in plan)
    yield Sum(what="orders ended, each as it had to", found=ended, wanted=len(plan), astray=astray)


def _of_money(books: Books) -> Iterator[Sum]:
    taken = sum(amount for status, amount in books.payments.values() if status in _PAID)
    refunded = sum(amount for status, amount in books.payments.values() if status == PaymentStatus.REFUNDED)
    shipped = sum(order.facts.amount_cents for order in _shipped(books))
    yield Sum(what="cents taken - refunded = of shipped orders", found=taken - refunded, wanted=shipped)
    paid = sum(order.paid_cents for order in books.orders.values())
    yield Sum(what="cents taken, by payments and by orders", found=taken, wanted=paid)
    back = sum(order.refunded_cents for order in books.orders.values())
    yield Sum(what="cents refunded, by payments and by orders", found=refunded, wanted=back)


def _of_stock(books: Books, opened: Mapping[str, int]) -> Iterator[Sum]:
    sold: Counter[str] = Counter()
    for order in _shipped(books):
        sold.update(quantities(order.facts.items))
    for product, now in sorted(books.stock.items()):
        reserved = -books.movements.get((product, "reserved"), 0)
        released = books.movements.get((product, "released"), 0)
        left = opened[product] - reserved + released
        yield Sum(what=f"{product}: start - reserved + released = now", found=left, wanted=now)
        yield Sum(what=f"{product}: reserved - released = shipped", found=reserved - released, wanted=sold[product])


def _of_mails(books: Books, post: Post) -> Iterator[Sum]:
    wanted = letters.mails_for(books.events)
    for template in sorted({letter.template for letter in (*wanted, *post.mails)}):
        came, asked = _of_template(post.mails, template), _of_template(wanted, template)
        yield _matched(f"mails: {template}, each once", came, asked)


def _of_texts(books: Books, came: Came) -> Iterator[Sum]:
    wanted = letters.texts_for(books.events)
    got = Counter(dict.fromkeys(came.texts, 1))
    yield _matched("texts: to each who has a phone, once shipped", got, wanted)


def _matched(what: str, found: Counter[T], wanted: Counter[T]) -> Sum:
    astray = (found - wanted).total() + (wanted - found).total()
    return Sum(what=what, found=found.total(), wanted=wanted.total(), astray=astray)


def _of_template(mails: Mapping[Letter, int], template: str) -> Counter[Letter]:
    return Counter({letter: count for letter, count in mails.items() if letter.template == template})


def _second(came: Came) -> int:
    return came.post.second + sum(count - 1 for count in came.texts.values())


def _shipped(books: Books) -> list[Order]:
    return [order for order in books.orders.values() if order.status == Status.SHIPPED]


def _ending(order: Order | None) -> Ending | None:
    if order is None or order.status not in _ENDED:
        return None
    return order.status, None if order.reason is None else Reason(order.reason)
