"""An event and rules → what it asks for: a notification of each rule that matches, or why there is none. Pure.

The notification's key comes from the event's source and id and from the rule's name, whichever way the event came. A
repeat is the same notification, also where the rule has changed since (CloudEvents 1.0.2, section 3.1.1: events of one
source and id may be taken for duplicates).
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import msgspec

from producer import request
from producer.request import Ask, Request
from producer.rules import members
from producer.rules.event import Event
from producer.rules.expression import Failed
from producer.rules.rule import Rule
from producer.submit import Item
from tocsin.deadletter import Reason
from tocsin.validation import Fault

_encoder = msgspec.json.Encoder()


def asks(event: Event, rules: Sequence[Rule], *, asked_at: datetime | None = None) -> Sequence[Ask]:
    """Return what the event asks for, in the order of the rules. Raises ProblemError where its data cannot be read.

    `asked_at` is when the event came, where that is not now.
    """
    suiting = [rule for rule in rules if rule.filter.suits(event.attributes)]
    if not suiting:
        return ()
    document = event.document()
    found = (_ask(rule, event, document, asked_at) for rule in suiting)
    return [ask for ask in found if ask is not None]


def _ask(rule: Rule, event: Event, document: Mapping[str, Any], asked_at: datetime | None) -> Ask | None:
    try:
        if not rule.filter.holds(document):
            return None
    except Failed as error:
        return _unusable(rule, event, [Fault(pointer="/when", detail=f"cannot be told: it {error}")])
    filled = members.fill(rule.members, document)
    if filled.faults:
        return _unusable(rule, event, filled.faults)
    key = request.hashed("rule", *event.identity, rule.name)
    item = Item(
        document=filled.value,
        size=len(_encoder.encode(filled.value)),
        key=key,
        asked_at=asked_at,
        fingerprint=hashlib.sha256(key.encode()).digest(),
    )
    return Request(item=item, event=event.identity, rule=rule.name, missing=filled.missing)


def _unusable(rule: Rule, event: Event, faults: Sequence[Fault]) -> Ask:
    return replace(request.refusal(Reason.INVALID, "", faults), event=event.identity, rule=rule.name)
