"""A message for one browser, before it is encrypted."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from channels.browser.subscription import Subscription

Urgency = Literal["very-low", "low", "normal", "high"]


@dataclass(frozen=True, slots=True, kw_only=True)
class WebPush:
    """What goes to whom, and until when. `payload` is JSON for the service worker, at most 3,993 bytes.

    `topic` names the notification: of two messages of one topic a push service keeps the later (RFC 8030, 5.4).
    """

    subscription: Subscription = field(repr=False)
    origin: str
    payload: bytes = field(repr=False)
    expires_at: datetime
    urgency: Urgency
    topic: str
