"""Dead letters for people's eyes: a table of many, and one with its attempts and its payload."""

import base64
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from tocsin.cli import output, times

# What a line takes with an id, a reason, a code and some words of a message.
_ROOM = 110


def listing(items: Iterable[Mapping[str, Any]], *, now: datetime, width: int) -> Table:
    """Return a list of dead letters: a line each, or two where the lines would be too long to read."""
    return _wide(items, now) if width >= _ROOM else _narrow(items, now)


def whole(letter: Mapping[str, Any], *, now: datetime) -> Group:
    """Return one dead letter with everything that is known of it."""
    parts: list[RenderableType] = [_facts(letter, now)]
    if letter["history"]:
        parts += [Text("\nAttempts", style="bold"), _attempts(letter["history"])]
    return Group(*parts, Text("\nPayload", style="bold"), Text(_payload(letter)))


def _wide(items: Iterable[Mapping[str, Any]], now: datetime) -> Table:
    made = output.table("ID", "DIED", "CHANNEL", "STATE", "REASON", "CODE", "MESSAGE")
    for column in made.columns[:-1]:
        column.no_wrap = True
    for item in items:
        rest = (output.plain(item[name]) for name in ("reason", "code", "message"))
        made.add_row(output.plain(item["id"]), _died(item, now), output.plain(item["channel"]), _state(item), *rest)
    return made


def _narrow(items: Iterable[Mapping[str, Any]], now: datetime) -> Table:
    made = Table.grid()
    for item in items:
        title = Text(output.plain(item["id"]), style="bold")
        made.add_row(Text("  ").join((title, _state(item), Text(_died(item, now)))))
        rest = (output.plain(item[name]) for name in ("channel", "reason", "code", "message"))
        made.add_row(Padding(Text(" · ".join(part for part in rest if part)), (0, 0, 0, 2)))
    return made


def _died(letter: Mapping[str, Any], now: datetime) -> str:
    return times.relative(times.parse(letter["died_at"]), now=now)


def _state(letter: Mapping[str, Any]) -> Text:
    """Return the decision about it, and how the replay ended."""
    told = output.state(letter["state"])
    ended = letter["replay_state"]
    return Text.assemble(told, " → ", output.state(ended)) if ended else told


def _facts(letter: Mapping[str, Any], now: datetime) -> Table:
    origin = letter["origin"]
    return output.facts(
        ("id", Text(output.plain(letter["id"]), style="bold")),
        ("state", _state(letter)),
        ("reason", letter["reason"]),
        ("code", letter["code"]),
        ("message", letter["message"]),
        ("channel", letter["channel"]),
        ("provider", letter["provider"]),
        ("died", f"{letter['died_at']}, {_died(letter, now)}"),
        ("notification", letter["notification_id"]),
        ("delivery", letter["delivery_id"]),
        ("life", letter["life"]),
        ("lane", letter["lane"]),
        ("category", letter["category"]),
        ("template", letter["template"]),
        ("replayed", _decision(letter, "replayed")),
        ("discarded", _decision(letter, "discarded")),
        ("record", f"{origin['topic']}/{origin['partition']}/{origin['offset']}"),
    )


def _decision(letter: Mapping[str, Any], what: str) -> str | None:
    at, by = letter[f"{what}_at"], letter[f"{what}_by"]
    return None if at is None else f"{at} by {by}"


def _attempts(history: Sequence[Mapping[str, Any]]) -> Table:
    made = Table.grid(padding=(0, 2, 0, 0))
    for attempt in history:
        words = (attempt["attempt"], attempt["at"], attempt["outcome"])
        more = (attempt.get("code"), attempt["provider"], attempt.get("message"))
        made.add_row(*(output.plain(word) for word in (*words, *more)))
    return made


def _payload(letter: Mapping[str, Any]) -> str:
    """Return the payload indented, or how large it is where it is no JSON: its bytes are for programs."""
    if "body" in letter:
        return output.plain(msgspec.json.format(msgspec.json.encode(letter["body"]), indent=2).decode(), lines=True)
    size = len(base64.b64decode(letter["body_base64"]))
    return f"{size:,} bytes that are not JSON; --json has them in base64"
