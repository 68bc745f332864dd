"""The rows of the audit's tables, field for column: tuples, since a batch has thousands of them."""

from dataclasses import dataclass, field
from typing import NamedTuple

from tocsin.lifecycle import State


class EventRow(NamedTuple):
    """A row of `events`."""

    notification_id: str
    id: str
    delivery_id: str | None
    life: int | None
    attempt: int | None
    type: str
    time: int
    tenant: str
    data: str


class NotificationRow(NamedTuple):
    """A row of `notifications`, as its accepted event tells it."""

    id: str
    tenant: str
    state: str
    recipient_id: str | None
    locale: str | None
    category: str | None
    lane: str | None
    template: str | None
    template_version: str | None
    channels: str
    metadata: str
    accepted_at: int
    expires_at: int
    test: bool


class SeenNotification(NamedTuple):
    """What of a row of `notifications` follows from any of its events."""

    id: str
    tenant: str
    state: str


class MetadataRow(NamedTuple):
    """A row of `notification_metadata`."""

    notification_id: str
    key: str
    tenant: str
    value: str


class DeliveryRow(NamedTuple):
    """A row of `deliveries`; the address is not known from every event."""

    id: str
    notification_id: str
    tenant: str
    channel: str
    address: str | None


class LifeRow(NamedTuple):
    """A row of `lives`."""

    delivery_id: str
    life: int
    state: str
    rank: int
    attempts: int
    started_at: int
    updated_at: int
    expires_at: int | None
    reason: str | None
    code: str | None


@dataclass(slots=True)
class Life:
    """A life while the events of a batch are put together."""

    state: State
    attempts: int
    started_at: int
    updated_at: int
    expires_at: int | None
    reason: str | None
    code: str | None

    def row(self, delivery_id: str, life: int) -> LifeRow:
        """Return it as a row."""
        return LifeRow(
            delivery_id,
            life,
            self.state.value,
            self.state.rank,
            self.attempts,
            self.started_at,
            self.updated_at,
            self.expires_at,
            self.reason,
            self.code,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """What a batch has to say, by the ids it says it of. `told` comes from accepted events, `seen` from the others."""

    events: dict[str, EventRow] = field(default_factory=dict)
    told_notifications: dict[str, NotificationRow] = field(default_factory=dict)
    seen_notifications: dict[str, SeenNotification] = field(default_factory=dict)
    metadata: list[MetadataRow] = field(default_factory=list)
    told_deliveries: dict[str, DeliveryRow] = field(default_factory=dict)
    seen_deliveries: dict[str, DeliveryRow] = field(default_factory=dict)
    lives: dict[tuple[str, int], Life] = field(default_factory=dict)
    # Deliveries of which an event did not say whose they are.
    strays: set[str] = field(default_factory=set)
