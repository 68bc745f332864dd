"""A text message that is ready to go."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from channels.sms.segments import Encoding

# The part of a template that is the text of a message.
PART = "sms.txt"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sms:
    """One text to one number (E.164). The ids go with it, so that receipts find their delivery.

    `cost` is what the audit tells of it: its segments, and its price where that is known.
    """

    to: str = field(repr=False)
    text: str = field(repr=False)
    encoding: Encoding
    cost: Mapping[str, Any]
    delivery_id: str
    notification_id: str
    tenant: str
    expires_at: datetime
