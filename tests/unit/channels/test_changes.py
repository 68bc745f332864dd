"""How changes of routes reach the audit."""

import asyncio
from collections.abc import Sequence

from channels.changes import RouteChanges
from channels.route import Condition, RouteState
from tests.support.clock import ManualClock
from tests.support.waiting import until
from tocsin import envelope, schemas
from tocsin.errors import LogUnavailable
from tocsin.lifecycle import AuditEvent, Event
from tocsin.observe.metrics import Metrics
from tocsin.record import Record
from tocsin.validation import Schema

CLOSED = Condition(state=RouteState.CLOSED, why="its calls fail: connection_refused")


class Publisher:
    """Fulfils `Publisher`, once it is well."""

    def __init__(self) -> None:
        self.ill = False
        self.refused = 0
        self.events: list[AuditEvent] = []

    async def write(self, records: Sequence[Record]) -> None:
        if self.ill:
            self.refused += 1
            raise LogUnavailable("the disk is full")
        self.events += [envelope.audit_event(record.value) for record in records]


async def test_changes_are_written_in_order_once_and_with_valid_data() -> None:
    clock, publisher, metrics = ManualClock(), Publisher(), Metrics(version="test")
    changes = RouteChanges(publisher=publisher, clock=clock, metrics=metrics)
    changes.watch("email", "smtp")
    running = asyncio.create_task(changes.run())
    publisher.ill = True
    changes.tell("email", "smtp", CLOSED)
    await until(lambda: publisher.refused, what="the log to refuse")
    changes.tell("email", "smtp", Condition(why="it works"))
    publisher.ill = False
    await until(lambda: clock.next_due() is not None, what="the pause")
    clock.advance(clock.next_due() - clock.now())  # type: ignore[operator]  # there is one
    await until(lambda: not changes.untold, what="the changes to be told")
    changes.stop()
    await running
    data_schema = schemas.document("audit-event")["$defs"][Event.ROUTE_CHANGED]

    assert [event.data["state"] for event in publisher.events] == ["closed", "open"]
    assert len({event.id for event in publisher.events}) == 2
    assert not any(Schema(data_schema).faults(event.data) for event in publisher.events)
    assert 'tocsin_route_state{channel="email",provider="smtp"} 1.0' in metrics.render()[0].decode()


async def test_what_is_left_is_written_when_it_stops() -> None:
    publisher = Publisher()
    changes = RouteChanges(publisher=publisher, clock=ManualClock(), metrics=Metrics(version="test"))
    changes.tell("email", "smtp", CLOSED)
    changes.stop()
    await changes.run()

    assert [event.data["provider"] for event in publisher.events] == ["smtp"]
