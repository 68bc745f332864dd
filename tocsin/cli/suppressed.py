"""Suppressed addresses for people's eyes."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from tocsin.cli import output, times

# What a line takes with an id, an address and the rest in words.
_ROOM = 110


def listing(items: Iterable[Mapping[str, Any]], *, now: datetime, width: int) -> Table:
    """Return a list of suppressions: a line each, or two where the lines would be too long to read."""
    return _wide(items, now) if width >= _ROOM else _narrow(items, now)


def _wide(items: Iterable[Mapping[str, Any]], now: datetime) -> Table:
    made = output.table("ID", "ADDED", "CHANNEL", "ADDRESS", "CATEGORY", "REASON", "SOURCE", "EXPIRES")
    for each in items:
        words = (output.plain(each[name]) for name in ("channel", "address", "category", "reason", "source"))
        made.add_row(output.plain(each["id"]), _when(each["added_at"], now), *words, _when(each["expires_at"], now))
    return made


def _narrow(items: Iterable[Mapping[str, Any]], now: datetime) -> Table:
    made = Table.grid()
    for each in items:
        title = Text(output.plain(each["id"]), style="bold")
        made.add_row(Text("  ").join((title, Text(_when(each["added_at"], now)))))
        words = [output.plain(each[name]) for name in ("channel", "address", "category", "reason", "source")]
        if each["expires_at"]:
            words.append(f"expires {_when(each['expires_at'], now)}")
        made.add_row(Padding(Text(" · ".join(word for word in words if word), overflow="fold"), (0, 0, 0, 2)))
    return made


def _when(moment: str | None, now: datetime) -> str:
    return "" if moment is None else times.relative(times.parse(moment), now=now)
