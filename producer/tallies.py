"""What is counted of the ways in over the log: requests, events, and what each rule made of them."""

from collections.abc import Callable, Sequence

from producer.request import Ask, Refusal
from producer.requests import Outcome
from tocsin.deadletter import EVERY_RULE
from tocsin.observe.metrics import Metrics

_ACCEPTED = "accepted"


class RequestTally:
    """Of `notifications.requests`. Fulfils `requests.Tally`.

    `knows` tells whether there is a rule of a name: a replay may name any, and each would be a metric for ever.
    """

    def __init__(self, metrics: Metrics, *, knows: Callable[[str], bool]) -> None:
        self._metrics = metrics
        self._knows = knows

    def count(self, outcomes: Sequence[tuple[Ask, Outcome]]) -> None:
        """See the contract."""
        for ask, outcome in outcomes:
            self._metrics.requests(word(outcome)).inc()
            known = ask.rule is not None and self._knows(ask.rule)
            count_rule(self._metrics, ask.rule if known else None, outcome)


class EventTally:
    """Of the topics of events. Fulfils `requests.Tally`."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def count(self, outcomes: Sequence[tuple[Ask, Outcome]]) -> None:
        """See the contract."""
        count_event(self._metrics, [ask for ask, _ in outcomes])
        for ask, outcome in outcomes:
            count_rule(self._metrics, ask.rule, outcome)


def count_event(metrics: Metrics, asks: Sequence[Ask]) -> None:
    """Count an event by whether some rule was for it."""
    if not asks:
        metrics.rule_events("unmatched").inc()
    elif any(isinstance(ask, Refusal) and ask.rule in {None, EVERY_RULE} for ask in asks):
        metrics.rule_events("refused").inc()
    else:
        metrics.rule_events("matched").inc()


def count_rule(metrics: Metrics, rule: str | None, outcome: Outcome, *, test: bool = False) -> None:
    """Count a notification that was taken, unless it is a `test`, and what its rule, if one made it, came to."""
    metrics.notifications.inc(word(outcome) == _ACCEPTED and not test)
    if rule not in {None, EVERY_RULE}:
        metrics.rule_notifications(str(rule), word(outcome)).inc()


def word(outcome: Outcome) -> str:
    """Return the word for what became of an ask."""
    if isinstance(outcome, Refusal):
        return "refused"
    return "repeated" if outcome.repeated else _ACCEPTED
