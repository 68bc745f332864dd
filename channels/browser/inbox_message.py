"""An inbox, whose it is, and what lies in it. Pure.

The address of a delivery to an inbox is `inbox:` and the recipient's id; the address of a push subscription begins
with its endpoint's scheme, `https:` or `http:`, so neither can be taken for the other.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

_SCHEME = "inbox:"


class Owner(NamedTuple):
    """Whose inbox it is."""

    tenant: str
    recipient_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What the page shows. `data` is JSON, for the page's own code; `category` is the notification's."""

    category: str
    title: str = field(repr=False)
    body: str = field(repr=False)
    url: str | None = field(default=None, repr=False)
    icon: str | None = field(default=None, repr=False)
    data: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """What is to be put into an inbox: one delivery of a notification."""

    owner: Owner = field(repr=False)
    notification_id: str
    delivery_id: str
    shown: Shown


@dataclass(frozen=True, slots=True, kw_only=True)
class InboxMessage:
    """What lies in an inbox. Its number is higher than those of all that came before it."""

    number: int
    notification_id: str
    delivery_id: str
    life: int
    shown: Shown
    created_at: datetime
    read_at: datetime | None


def address(recipient_id: str) -> str:
    """Return the address of a recipient's inbox."""
    return _SCHEME + recipient_id


def recipient_of(text: str) -> str | None:
    """Return whose inbox an address names, None where it is not the address of one."""
    return text.removeprefix(_SCHEME) if text.startswith(_SCHEME) and text != _SCHEME else None
