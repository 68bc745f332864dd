"""Rows → views."""

from typing import Any

import msgspec
from sqlalchemy import Row

from audit.views import EventView, LifeView, NotificationView, RecipientView, TemplateView
from tocsin.clock import from_ms, rfc3339
from tocsin.lifecycle import Event, State

_channels = msgspec.json.Decoder(list[str])
_metadata = msgspec.json.Decoder(dict[str, str])
_data = msgspec.json.Decoder(dict[str, Any])
_ORDER: dict[str, int] = {event: order for order, event in enumerate(Event)}
_RECEIPTS: frozenset[str] = frozenset(event for event in Event if event.startswith("tocsin.receipt."))
_LAST = 2**31


def notification(row: Row[Any]) -> NotificationView:
    """Return a row of `notifications` as a line of a list."""
    return NotificationView(**members(row))


def members(row: Row[Any]) -> dict[str, Any]:
    """Return what a row of `notifications` tells, by the names of the view."""
    return {
        "id": row.id,
        "state": State(row.state),
        "recipient": RecipientView(id=row.recipient_id, locale=row.locale),
        "channels": [] if row.channels is None else _channels.decode(row.channels),
        "category": row.category,
        "lane": row.lane,
        "template": None if row.template is None else TemplateView(name=row.template, version=row.template_version),
        "metadata": {} if row.metadata is None else _metadata.decode(row.metadata),
        "accepted_at": moment(row.accepted_at),
        "expires_at": moment(row.expires_at),
        "test": bool(row.test),
    }


def life(row: Row[Any], events: list[EventView]) -> LifeView:
    """Return a row of `lives` with its events."""
    return LifeView(
        life=row.life,
        state=State(row.state),
        attempts=row.attempts,
        reason=row.reason,
        code=row.code,
        started_at=rfc3339(from_ms(row.started_at)),
        updated_at=rfc3339(from_ms(row.updated_at)),
        expires_at=moment(row.expires_at),
        events=events,
    )


def event(row: Row[Any]) -> EventView:
    """Return a row of `events`."""
    return EventView(
        id=row.id,
        type=row.type,
        time=rfc3339(from_ms(row.time)),
        attempt=row.attempt,
        data=_data.decode(row.data),
    )


def order(row: Row[Any]) -> tuple[int, int, int]:
    """Return the key that sorts events by time; of one moment, the attempt comes before what it led to.

    A receipt does not say to which attempt it belongs: it comes last.
    """
    attempt = _LAST if row.type in _RECEIPTS else row.attempt or 0
    return row.time, attempt, _ORDER.get(row.type, len(_ORDER))


def moment(milliseconds: int | None) -> str | None:
    """Return a column of time as RFC 3339."""
    return None if milliseconds is None else rfc3339(from_ms(milliseconds))
