"""What a refused request writes: its dead letter, and the event that says why. Pure.

The ids of both follow from the record's place in the log, and from the rule if it is one that refused. So what is
written again, after a crash that came before the offset was committed, is the same letter and the same event.
"""

from datetime import datetime
from typing import Any

from producer.request import Refusal
from tocsin import deadletter, hops, ids
from tocsin.delivery import TENANT
from tocsin.envelope import audit_record
from tocsin.lifecycle import AuditEvent, Event
from tocsin.record import Received, Record

# Of a record in a batch, about; as the Kafka log estimates it, which refuses what is above `kafka.max_record_bytes`.
_OVERHEAD, _HEADER_OVERHEAD, _CHARACTER = 128, 10, 3


def records(received: Received, refusal: Refusal, *, now: datetime, max_bytes: int) -> tuple[Record, Record]:
    """Return the dead letter and the audit event. `max_bytes` is the largest record that the log takes."""
    told: Any = {"reason": refusal.reason, "detail": _detail(refusal), "rule": refusal.rule}
    letter = deadletter.of_request(received, **told)
    if _weight(letter) > max_bytes:
        letter = deadletter.of_request(received, **told, whole=False)
    return letter, audit_record(_event(received, refusal, now))


def _detail(refusal: Refusal) -> str:
    """Return the reason in words, with the rule before it: a list of letters shows no more than that."""
    named = refusal.rule not in {None, deadletter.EVERY_RULE}
    return f"rule {refusal.rule}: {refusal.detail}" if named else refusal.detail


def _event(received: Received, refusal: Refusal, now: datetime) -> AuditEvent:
    source = received.source
    data: dict[str, Any] = {
        "reason": str(refusal.reason),
        "message": _short(refusal.detail),
        "errors": [{"pointer": _short(fault.pointer), "detail": _short(fault.detail)} for fault in refusal.faults],
        "record": {"topic": source.topic, "partition": source.partition, "offset": source.offset},
        "dead_letter_id": deadletter.letter_id(None, source, rule=refusal.rule),
    }
    if refusal.rule is not None:
        data["rule"] = refusal.rule
    if refusal.event is not None:
        data["event"] = {"source": _short(refusal.event.source), "id": _short(refusal.event.id)}
    return AuditEvent(
        id=ids.hashed(ids.EVENT, *map(str, source), Event.REQUEST_REFUSED, *((refusal.rule,) if refusal.rule else ())),
        type=Event.REQUEST_REFUSED,
        time=now,
        tenant=TENANT,
        data=data,
    )


def _short(text: str) -> str:
    """Return text that is short enough to be told: names of members may be as long as a record."""
    return hops.text_value(text).decode()


def _weight(record: Record) -> int:
    headers = sum(len(name) * _CHARACTER + len(value) + _HEADER_OVERHEAD for name, value in record.headers)
    return len(record.value) + len(record.key or b"") + headers + _OVERHEAD
