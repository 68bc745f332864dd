"""What the suite of the ledgers has them keep, and how it looks at what they wrote."""

from datetime import timedelta

from tests.support.clock import ManualClock
from tests.support.logs import NOW, reading
from tocsin.eventlog.port import EventLog
from tocsin.ledger.port import AttemptKey, Settlement, Submission, SubmitClaim
from tocsin.lifecycle import State
from tocsin.record import Record, Source
from tocsin.topics import TopicSpec

TOPIC = "notifications.test"
SPECS = [TopicSpec(name=TOPIC, kind="delivery")]
DELIVERY = "dlv_" + "0" * 26
KEY = AttemptKey(DELIVERY, 0, 1)
HERE, THERE = Source("notifications.email", 1, 2), Source("notifications.email", 1, 3)
LEASE = timedelta(seconds=90)


def record(value: bytes, *, topic: str = TOPIC) -> Record:
    return Record(topic=topic, key=b"k", value=value)


def retrying(value: bytes = b"retry", *, key: AttemptKey = KEY, source: Source = HERE) -> Settlement:
    return Settlement(source=source, records=(record(value),), key=key, life=(key.delivery_id, key.life))


def ending(value: bytes = b"end", *, key: AttemptKey | None = KEY, source: Source = HERE, life: int = 0) -> Settlement:
    return Settlement(source=source, records=(record(value),), key=key, life=(DELIVERY, life), terminal=State.DELIVERED)


def submission(
    value: bytes = b"a", *, clock: ManualClock, tenant: str = "t", key: str = "k", body: bytes = b"body"
) -> Submission:
    claim = SubmitClaim(tenant=tenant, key=key, fingerprint=body, expires_at=clock.now() + timedelta(hours=1))
    return Submission(records=(record(value), record(value + b"+")), answer=b"answer to " + value, claim=claim)


async def written(log: EventLog) -> list[bytes]:
    """Return everything in the topic so far."""
    found: list[bytes] = []
    async with reading(log, TOPIC, group="look") as subscription:
        await subscription.seek(dict.fromkeys(subscription.assigned, 0))
        while records := await subscription.fetch(limit=1000, wait=NOW):
            found.extend(each.value for each in records)
    return found
