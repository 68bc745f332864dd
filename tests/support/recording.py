"""A publisher for what writes audit events and nothing else."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from tocsin import envelope
from tocsin.errors import LogUnavailable
from tocsin.lifecycle import AuditEvent
from tocsin.record import Record

FULL = LogUnavailable("the disk is full")


@dataclass
class Recorder:
    """Fulfils `eventlog.port.Publisher`: keeps what is written, or fails as it is told."""

    events: list[AuditEvent] = field(default_factory=list)
    fails: Exception | None = None

    async def write(self, records: Sequence[Record]) -> None:
        """See the port."""
        if self.fails is not None:
            raise self.fails
        self.events += [envelope.audit_event(record.value) for record in records]
