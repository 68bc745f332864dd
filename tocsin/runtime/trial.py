"""Trying rules without a gateway: what the command line asks of the service that has them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from tocsin.settings.values import Settings
from tocsin.validation import Fault


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownRule:
    """A rule, and where it was written."""

    name: str
    file: str
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What one address would be sent: the parts by name, as they would read, or why there are none."""

    channel: str
    address: str
    locale: str | None
    parts: Mapping[str, str]
    fault: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TriedRule:
    """What a rule makes of an event that it matches: a notification with its messages, or what is wrong with that."""

    rule: str
    notification: Mapping[str, Any]
    messages: Sequence[Message] = ()
    faults: Sequence[Fault] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TriedEvent:
    """An event with every rule that matches it. One that could not be read has `faults`, and empty attributes."""

    source: str = ""
    id: str = ""
    type: str = ""
    rules: Sequence[TriedRule] = ()
    faults: Sequence[Fault] = ()


class Trial(Protocol):
    """The rules of a folder, checked."""

    @property
    def folder(self) -> Path:
        """Where they lie."""

    @property
    def rules(self) -> Sequence[KnownRule]:
        """All of them, in the order in which they are looked at."""

    def event(self, document: Any, now: datetime) -> TriedEvent:
        """Return what would be sent for an event at a moment. Nothing is."""


# Settings, and a folder in place of theirs → the trial. Raises SettingsError with all that is wrong with the rules.
OpenTrial = Callable[[Settings, Path | None], Trial]
