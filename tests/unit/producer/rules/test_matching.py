"""What an event asks for: of each rule that is for it one notification, under a key that is always the same."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from producer.request import Ask, Refusal, Request
from producer.rules import event as events
from producer.rules import form, matching
from producer.rules.rule import Rule
from producer.rules.vocabulary import Vocabulary
from tests.support import ruling
from tests.support.ruling import CONFIRMATION, WORDS
from tocsin.web.problems import ProblemError

ANY = 'type = "OrderPlaced"'


@pytest.fixture
def read(tmp_path: Path, vocabulary: Vocabulary) -> Any:
    def rules(text: str) -> Sequence[Rule]:
        path = tmp_path / "rules.toml"
        path.write_text(text, encoding="utf-8")
        return form.read(path, vocabulary)

    return rules


def asks(rules: Sequence[Rule], **changes: Any) -> Sequence[Ask]:
    return matching.asks(events.of_document({**ruling.event("1"), **changes}, max_bytes=10_000), rules)


@pytest.mark.parametrize(
    ("filters", "changes", "matches"),
    [
        (ANY, {}, True),
        (ANY, {"type": "OrderPaid"}, False),
        ('type = ["OrderPaid", "Order*"]', {}, True),
        ('type = "*"\nsource = "/shop/*"', {}, True),
        ('type = "*"\nsource = ["/bank", "/shop"]', {}, False),
        ('type = "*"\nsubject = "*"', {}, True),
        ('type = "*"\nsubject = "o-*"', {}, False),
        ('type = "*"\nsubject = "o-*"', {"subject": "o-1"}, True),
        ('type = "*"\nwhen = "data.amount_cents > `1000`"', {}, True),
        ('type = "*"\nwhen = "data.amount_cents > `2000`"', {}, False),
        ('type = "*"\nwhen = "comexample == \'x\'"', {"comexample": "x"}, True),
        ('type = "*"\nwhen = "data.nothing"', {}, False),
    ],
)
def test_a_rule_is_for_the_events_that_its_filter_says(
    read: Any, filters: str, changes: dict[str, Any], *, matches: bool
) -> None:
    found = asks(read(CONFIRMATION.replace(ANY, filters)), **changes)

    assert bool(found) is matches


def test_each_rule_that_matches_asks_for_a_notification(read: Any) -> None:
    first, second = asks(read(CONFIRMATION + WORDS))

    assert isinstance(first, Request)
    assert isinstance(second, Request)
    assert (first.rule, second.rule) == ("confirmation", "words")
    assert first.item.document == {
        "recipient": {"id": "cust-42", "email": "ada@example.test", "locale": "en"},
        "channels": ["email"],
        "template": "order-confirmation",
        "data": {"order": "1", "items": [{"name": "mug", "quantity": 1}]},
        "metadata": {"order_id": "1"},
    }
    assert second.missing == {"/content/email/text": "data.note"}


def test_the_key_is_of_the_event_and_the_rule_and_stays_when_the_rule_changes(read: Any) -> None:
    def keys(text: str, **changes: Any) -> set[tuple[str | None, bytes | None]]:
        found = [ask for ask in asks(read(text), **changes) if isinstance(ask, Request)]
        return {(ask.item.key, ask.item.fingerprint) for ask in found}

    first = keys(CONFIRMATION)

    assert first == keys(CONFIRMATION.replace("email = {", 'email = "x@example.test" #'))
    assert len(first | keys(WORDS) | keys(CONFIRMATION, id="2") | keys(CONFIRMATION, source="/other")) == 4


def test_a_condition_that_fails_is_a_fault_of_the_event_and_not_a_rule_that_does_not_match(read: Any) -> None:
    [ask] = asks(read(CONFIRMATION.replace(ANY, ANY + '\nwhen = "length(data.order_id) > length(data.amount_cents)"')))

    assert isinstance(ask, Refusal)
    assert [fault.pointer for fault in ask.faults] == ["/when"]
    assert ask.rule == "confirmation"


def test_the_data_of_an_event_that_no_rule_is_for_is_not_read(read: Any) -> None:
    def broken() -> Any:
        raise ProblemError(400, "malformed", "x")

    attributes = {name: value for name, value in ruling.event("1").items() if name != "data"}
    unread = events.Event({**attributes, "type": "Other"}, broken)
    event = events.Event(attributes, broken)

    assert matching.asks(unread, read(CONFIRMATION)) == ()
    with pytest.raises(ProblemError):
        matching.asks(event, read(CONFIRMATION))
