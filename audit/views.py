"""How notifications look over HTTP: a line of a list, and a timeline."""

from dataclasses import dataclass, field
from typing import Annotated, Any

from pydantic import Field

from tocsin.lifecycle import State

Moment = Annotated[str, Field(json_schema_extra={"format": "date-time"})]


@dataclass(frozen=True, slots=True, kw_only=True)
class RecipientView:
    """Who was notified."""

    id: str | None
    locale: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateView:
    """The template, and the version of it that was current at accept."""

    name: str
    version: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EventView:
    """One thing that happened. `data` depends on the type, of which there may be new ones with every version."""

    id: str
    type: str
    time: Moment
    attempt: int | None
    data: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class LifeView:
    """One pass of a delivery from accepted to its end. A replay opens the next."""

    life: int
    state: State
    attempts: int
    reason: str | None
    code: str | None
    started_at: Moment
    updated_at: Moment
    expires_at: Moment | None
    events: list[EventView]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryView:
    """One channel and one address. Its state is that of its latest life."""

    id: str
    channel: str
    address: str | None
    state: State
    lives: list[LifeView]


@dataclass(frozen=True, slots=True, kw_only=True)
class NotificationView:
    """A notification in a list. What only its accepted event tells is null until that has come.

    `test`: a test key submitted it, and it reaches no provider.
    """

    id: str
    state: State
    recipient: RecipientView
    channels: list[str]
    category: str | None
    lane: str | None
    template: TemplateView | None
    metadata: dict[str, str]
    accepted_at: Moment | None
    expires_at: Moment | None
    test: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class TimelineView(NotificationView):
    """A notification with all that happened to it.

    `partial`: delivered, but not on all of its channels and addresses; of the devices of channel push one is enough.
    """

    partial: bool = False
    deliveries: list[DeliveryView] = field(default_factory=list)
    events: list[EventView] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class PageView:
    """A page of notifications, newest first."""

    notifications: list[NotificationView]
    next_cursor: str | None
