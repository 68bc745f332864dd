"""One event of a timeline, in the words of a person: what happened, with which code, by which provider."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from rich.text import Text

from tocsin.cli import output, times
from tocsin.lifecycle import Event

_PREFIXES = ("tocsin.delivery.", "tocsin.notification.", "tocsin.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """What to show of an event."""

    time: datetime
    what: Text
    code: str
    provider: str
    note: str


def of(event: Mapping[str, Any]) -> Happening:
    """Return what to show of an event as the API gives it. A type that is not known yet is shown by its name."""
    data = event["data"]
    return Happening(
        time=times.parse(event["time"]),
        what=_what(event, data),
        code=output.plain(data.get("code")),
        provider=output.plain(data.get("provider")),
        note=output.plain(_note(event["type"], data, times.parse(event["time"]))),
    )


def _what(event: Mapping[str, Any], data: Mapping[str, Any]) -> Text:
    if event["type"] == Event.ATTEMPTED:
        return Text(output.plain(f"attempt {event['attempt']}: {data.get('outcome', '?')}"))
    word = str(event["type"])
    for prefix in _PREFIXES:
        word = word.removeprefix(prefix)
    return output.state(word)


def _note(kind: str, data: Mapping[str, Any], at: datetime) -> str:
    match kind:
        case Event.ATTEMPTED:
            took = data.get("duration_ms")
            parts = [data.get("message"), None if took is None else f"{took} ms"]
            return " · ".join(str(part) for part in parts if part)
        case Event.RETRYING:
            due = data.get("not_before")
            return f"next attempt {times.span(times.parse(due) - at)} later" if due else ""
        case Event.DEAD:
            told = [data.get("reason"), data.get("dead_letter_id")]
            return " · ".join(str(each) for each in told if each)
        case Event.REPLAYED | Event.DISCARDED:
            return f"by {data['actor']}" if data.get("actor") else ""
    return str(data.get("reason") or "")
