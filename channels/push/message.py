"""A push that is ready to go to one device."""

from collections.abc import Mapping
from datetime import datetime
from typing import Literal

import msgspec

Priority = Literal["high", "normal"]


class Push(msgspec.Struct, frozen=True, kw_only=True):
    """One message to one device. `provider` is the service that gave the device its `token`.

    `data` is for the app, and always has our notification's id under `tocsin_notification_id`, by which an app can
    tell a second copy. A push that comes twice has the same `collapse_id` (30 ASCII characters), so that its second
    copy takes the place of the first on the device. `accepted_at` is when we knew the token at the latest; it is not
    sent after `expires_at`. Both are aware.
    """

    provider: str
    token: str
    title: str
    body: str
    data: Mapping[str, str]
    collapse_id: str
    priority: Priority
    notification_id: str
    accepted_at: datetime
    expires_at: datetime
