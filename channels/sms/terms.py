"""What a text comes to before it goes: its segments, about what it costs, and whether it may go at all. Pure.

A price is an estimate: the segments, times what the settings say that one costs to the number's region.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from channels.sms import phone, segments
from channels.sms.segments import Encoding
from channels.sms.settings import ELSEWHERE, SmsSettings
from tocsin.outcome import Rejected

# What Twilio takes in one message; Vonage takes more.
MOST_CHARACTERS = 1600


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """What a text comes to. `price` is None where the settings have none; `refusal` says why it may not go."""

    encoding: Encoding
    segments: int
    price: Decimal | None = None
    currency: str = ""
    refusal: Rejected | None = None

    @property
    def cost(self) -> Mapping[str, Any]:
        """What the audit tells of it."""
        if self.price is None:
            return {"segments": self.segments}
        return {"segments": self.segments, "price": float(self.price), "currency": self.currency}


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What may be sent and what it costs. `prices` are those of a segment, by region; `max_price` is a message's."""

    max_segments: int
    prices: Mapping[str, Decimal] = field(default_factory=dict)
    currency: str = ""
    max_price: Decimal | None = None

    @classmethod
    def of(cls, settings: SmsSettings) -> "Terms":
        """Return the terms of the settings."""
        return cls(
            max_segments=settings.max_segments,
            # By its digits: 0.1 is a tenth, and not the nearest that a computer has.
            prices={region: Decimal(str(price)) for region, price in settings.prices.items()},
            currency=settings.currency,
            max_price=Decimal(str(settings.max_price)) if settings.max_price else None,
        )

    def quote(self, number: str, text: str) -> Quote:
        """Return what a text to a number (E.164) comes to."""
        size = segments.measure(text)
        price = self._price(number, size.segments)
        return Quote(
            encoding=size.encoding,
            segments=size.segments,
            price=price,
            currency=self.currency,
            refusal=self._unsendable(text, size) or self._too_dear(number, price, size.segments),
        )

    def _price(self, number: str, count: int) -> Decimal | None:
        if not self.prices:
            return None
        price = self.prices.get(phone.region(number) or "", self.prices.get(ELSEWHERE))
        return None if price is None else price * count

    def _unsendable(self, text: str, size: segments.Size) -> Rejected | None:
        if not text:
            return Rejected(reason="no_content", scope="message", message="there is no text")
        if size.segments <= self.max_segments and len(text) <= MOST_CHARACTERS:
            return None
        detail = f"the text takes {size.segments} segments ({size.encoding}), at most {self.max_segments} may go"
        return Rejected(reason="too_many_segments", scope="message", message=detail)

    def _too_dear(self, number: str, price: Decimal | None, count: int) -> Rejected | None:
        if self.max_price is None:
            return None
        most = f"at most {self.max_price} {self.currency} may be spent on one (sms.max_price)"
        if price is None:
            where = phone.region(number) or "no country"
            detail = f"sms.prices has no price of numbers of {where}, and {most}"
            return Rejected(reason="price_unknown", scope="message", message=detail)
        if price <= self.max_price:
            return None
        detail = f"the text costs about {price} {self.currency} ({count} segments), {most}"
        return Rejected(reason="too_expensive", scope="message", message=detail)
