"""What a replay of a refused request writes: its very bytes, back where they came from, and the event of it. Pure.

An event that a rule could not use is put there too, and not on its own topic, which others read as well. The rule's
name goes with it, and that rule runs alone. It helps where the request was right and we were not: a template was
missing, a channel not installed, a limit too low, a rule wrong.
"""

from dlq.items import FALLBACK_TENANT, Item, Payload
from tocsin import deadletter, envelope, hops, ids, lifecycle, topics
from tocsin.record import Record


def replay_records(item: Item, payload: Payload) -> tuple[Record, ...]:
    """Return the request and the audit event for a letter whose replay has begun.

    The request names its letter, which becomes its idempotency key where it has none of its own: put on the topic
    twice, it is one notification. Raises ValueError if the letter is not one whose replay has begun.
    """
    if item.replay_life is None or item.replayed_at is None:
        raise ValueError(f"dead letter {item.id} is not being replayed")
    rule = [(name, value) for name, value in payload.headers if name == deadletter.RULE]
    headers = (*hops.without(payload.headers), *rule, (deadletter.REPLAY_OF, item.id.encode()))
    again = Record(topic=topics.REQUESTS, key=payload.key, value=payload.value, headers=headers)
    event = lifecycle.AuditEvent(
        id=ids.derived(ids.EVENT, item.id, lifecycle.Event.REQUEST_REPLAYED),
        type=lifecycle.Event.REQUEST_REPLAYED,
        time=item.replayed_at,
        tenant=item.tenant or FALLBACK_TENANT,
        data={"channel": item.channel, "dead_letter_id": item.id, "actor": item.replayed_by},
    )
    return again, envelope.audit_record(event)
