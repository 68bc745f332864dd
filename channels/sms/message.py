"""A text message that is ready to go."""

from dataclasses import dataclass, field
from datetime import datetime

from channels.sms.segments import Encoding

# The part of a template that is the text of a message.
PART = "sms.txt"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sms:
    """One text to one number (E.164). The ids go with it, so that receipts find their delivery."""

    to: str = field(repr=False)
    text: str = field(repr=False)
    encoding: Encoding
    segments: int
    delivery_id: str
    notification_id: str
    tenant: str
    expires_at: datetime
