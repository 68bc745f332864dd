"""An inbox and its messages, as pages get them."""

from typing import Any

import msgspec

from channels.browser.inbox_message import InboxMessage
from tocsin.clock import rfc3339


def message(found: InboxMessage) -> dict[str, Any]:
    """Return a message. Its `id` is its number in the inbox."""
    shown = found.shown
    return {
        "id": found.number,
        "notification_id": found.notification_id,
        "category": shown.category,
        "title": shown.title,
        "body": shown.body,
        "url": shown.url,
        "icon": shown.icon,
        "data": None if shown.data is None else msgspec.Raw(shown.data.encode()),
        "created_at": rfc3339(found.created_at),
        "read_at": None if found.read_at is None else rfc3339(found.read_at),
    }
