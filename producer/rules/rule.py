"""A rule: which events it is for, and the notification that it makes of one. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from producer.rules.expression import Expression
from producer.rules.members import Member
from producer.rules.pattern import Pattern


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """What an event must be like: its type, source and subject as one of the patterns, and `when` true of it.

    No patterns of an attribute are all of them; an event without a subject has an empty one.
    """

    types: Sequence[Pattern]
    sources: Sequence[Pattern] = ()
    subjects: Sequence[Pattern] = ()
    when: Expression | None = None

    def suits(self, attributes: Mapping[str, Any]) -> bool:
        """Return whether the attributes are as they must be, whatever the data is."""
        return (
            _any(self.types, attributes["type"])
            and _any(self.sources, attributes["source"])
            and _any(self.subjects, attributes.get("subject", ""))
        )

    def holds(self, document: Mapping[str, Any]) -> bool:
        """Return whether `when` is true of a whole event. Raises `expression.Failed`."""
        return self.when is None or self.when.holds(document)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule. `members` are those of the notification; `file` and `line` are where it was written."""

    name: str
    filter: Filter
    members: Mapping[str, Member]
    file: str
    line: int


def _any(patterns: Sequence[Pattern], text: str) -> bool:
    return not patterns or any(pattern.matches(text) for pattern in patterns)
