"""One event of a timeline, in the words of a person: what happened, and the code, the provider and more about it."""

from collections.abc import Iterator, Mapping
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
    more: str


def of(event: Mapping[str, Any]) -> Happening:
    """Return what to show of an event as the API gives it. A type that is not known yet is shown by its name."""
    data, time = event["data"], times.parse(event["time"])
    more = (data.get("code"), data.get("provider"), *_more(event["type"], data, time))
    told = " · ".join(str(part) for part in more if part)
    return Happening(time=time, what=_what(event, data), more=output.plain(told))


def _what(event: Mapping[str, Any], data: Mapping[str, Any]) -> Text:
    if event["type"] == Event.ATTEMPTED:
        return Text(output.plain(f"attempt {event['attempt']}: {data.get('outcome', '?')}"))
    word = str(event["type"])
    for prefix in _PREFIXES:
        word = word.removeprefix(prefix)
    return output.state(word.replace("_", " ").replace(".", ": "))


def _more(kind: str, data: Mapping[str, Any], at: datetime) -> Iterator[str | None]:
    match kind:
        case Event.ATTEMPTED:
            for tried in data.get("tried", ()):
                yield f"after {tried['provider']} {tried['code']}"
            if "duration_ms" in data:
                yield f"{data['duration_ms']} ms"
            yield data.get("message")
        case Event.RETRYING:
            if due := data.get("not_before"):
                yield f"next attempt {times.span(times.parse(due) - at)} later"
        case _:
            yield data.get("reason")
            if actor := data.get("actor"):
                yield f"by {actor}"
