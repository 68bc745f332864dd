"""Records of events → what the rules make of them; and the replays of those that a rule could not use.

Fulfils `requests.Reader` twice: for the topics of events, and for `notifications.requests`, where replays go.
"""

from collections.abc import Sequence
from dataclasses import replace

from loguru import logger

from producer import request
from producer.cloudevents import NotAnEvent
from producer.request import Ask
from producer.requests import Reader
from producer.rules import event as events
from producer.rules import form, matching
from producer.rules.book import RuleBook
from producer.rules.rule import Rule
from tocsin.deadletter import EVERY_RULE, RULE, Reason
from tocsin.record import Received, header
from tocsin.web.problems import ProblemError

_TOO_LARGE = 413


class EventReader:
    """Reads events of a topic. `max_bytes` is what the data of one may have."""

    def __init__(self, book: RuleBook, *, max_bytes: int) -> None:
        self._book = book
        self._max_bytes = max_bytes

    def asks(self, received: Received) -> Sequence[Ask]:
        """See the contract. A record that is no event is refused in the name of every rule."""
        return self._asks(received, self._book.rules, named=EVERY_RULE)

    def again(self, received: Received, name: str) -> Sequence[Ask]:
        """Return what the replay of an event asks for that was refused in this name: of that rule and no other."""
        if name == EVERY_RULE:
            return self.asks(received)
        rules = [rule for rule in self._book.rules if rule.name == name]
        found = self._asks(received, rules, named=name)
        if found:
            return found
        why = "does not match the event" if rules else "is not there"
        return (replace(request.refusal(Reason.INVALID, f"The rule {why} any more."), rule=name),)

    def knows(self, name: str) -> bool:
        """Return whether there is a rule of this name."""
        return any(rule.name == name for rule in self._book.rules)

    def _asks(self, received: Received, rules: Sequence[Rule], *, named: str) -> Sequence[Ask]:
        try:
            event = events.of_record(received, max_bytes=self._max_bytes)
            return matching.asks(event, rules, asked_at=received.timestamp)
        except NotAnEvent as error:
            return (replace(request.refusal(error.reason, str(error), error.faults), rule=named),)
        except ProblemError as error:
            return (replace(_unreadable(error), rule=named),)
        except Exception as error:  # noqa: BLE001 - a bug of ours: a letter without a name is replayed as a request
            logger.opt(exception=error).error("rules_failed")
            failed = request.refusal(Reason.HANDLER_ERROR, "Tocsin failed at it; its log says how.")
            return (replace(failed, rule=named),)


class ReplayReader:
    """Reads `notifications.requests`: requests by one reader, replayed events by the other."""

    def __init__(self, requests: Reader, events: EventReader) -> None:
        self._requests = requests
        self._events = events

    def asks(self, received: Received) -> Sequence[Ask]:
        """See the contract."""
        rule = header(received.headers, RULE)
        if rule is None:
            return self._requests.asks(received)
        name = rule.decode(errors="replace")
        if name != EVERY_RULE and not form.is_name(name):
            # Whoever may write requests may write this, and it would go into logs and the audit.
            return (request.refusal(Reason.BROKEN_HEADERS, f"header {RULE} is not the name of a rule"),)
        return self._events.again(received, name)


def _unreadable(error: ProblemError) -> request.Refusal:
    found = request.unreadable(error)
    return replace(found, reason=Reason.TOO_LARGE) if error.status == _TOO_LARGE else found
