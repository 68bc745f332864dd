"""A notification as a tree: its deliveries, their lives, and in each life what happened, and when after its start."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from rich.console import Group
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from tocsin.cli import happening, output, times
from tocsin.lifecycle import Event, State

_BETWEEN = ("  ", "")
_LONGEST_ADDRESS = 64
_ENDS = frozenset(state.value for state in State if state.terminal)


def ended(document: Mapping[str, Any]) -> bool:
    """Return whether nothing more will happen by itself to a notification, a delivery or a life."""
    return document["state"] in _ENDS


def tree(document: Mapping[str, Any], *, now: datetime) -> Tree:
    """Return a notification, as the API gives it, to be printed."""
    made = Tree(_heading(document, now), guide_style="dim")
    for delivery in document["deliveries"]:
        branch = made.add(_delivery(delivery))
        for life in delivery["lives"]:
            branch.add(Group(_life(life, now), _events(life)))
    if not document["deliveries"]:
        made.add(Text("its deliveries are not in the audit yet", style="dim"))
    return made


def lines(document: Mapping[str, Any]) -> Iterator[tuple[str, Text]]:
    """Return each event of a notification as one line, with its id, in the order of time."""
    found = [(event, "", document["accepted_at"]) for event in document["events"]]
    for delivery in document["deliveries"]:
        for life in delivery["lives"]:
            found += [(event, _name(delivery), life["started_at"]) for event in life["events"]]
    for event, name, started in sorted(found, key=lambda each: str(each[0]["time"])):
        told = happening.of(event)
        parts = (_offset(told, started), Text(name), told.what, Text(told.more))
        yield event["id"], Text("  ").join(part for part in parts if part)


def _heading(document: Mapping[str, Any], now: datetime) -> Group:
    template, accepted_at = document["template"], document["accepted_at"]
    about = [
        template["name"] if template else None,
        document["category"],
        f"lane {document['lane']}" if document["lane"] else None,
        f"accepted {times.relative(times.parse(accepted_at), now=now)}" if accepted_at else None,
    ]
    title = Text.assemble((output.plain(document["id"]), "bold"), _BETWEEN, output.state(document["state"]))
    if document.get("test"):
        title.append("  test", style="yellow")
    if document["partial"]:
        title.append("  not to all of its addresses", style="yellow")
    return Group(title, Text(output.plain(" · ".join(part for part in about if part)), style="dim"))


def _name(delivery: Mapping[str, Any]) -> str:
    address = output.address(delivery["address"], most=_LONGEST_ADDRESS)
    return " ".join(part for part in (output.plain(delivery["channel"]), address) if part)


def _delivery(delivery: Mapping[str, Any]) -> Text:
    return Text.assemble(
        (_name(delivery), "bold"),
        _BETWEEN,
        output.state(delivery["state"]),
        _BETWEEN,
        (output.plain(delivery["id"]), "dim"),
    )


def _life(life: Mapping[str, Any], now: datetime) -> Text:
    attempts = life["attempts"]
    replay = " (replay)" if life["life"] else ""
    line = Text.assemble(
        f"life {life['life']}{replay}: ",
        output.state(life["state"]),
        f" after {attempts} attempt{'' if attempts == 1 else 's'}" if attempts else "",
    )
    line.append(output.plain(_more(life, now)), style="dim")
    return line


def _more(life: Mapping[str, Any], now: datetime) -> str:
    """Return when the next attempt is due, or when the time to deliver is over; of a dead life, its dead letter."""
    if ended(life):
        letters = [event["data"].get("dead_letter_id") for event in life["events"] if event["type"] == Event.DEAD]
        return f", dead letter {letters[-1]}" if letters and letters[-1] else ""
    if (due := _due(life)) is not None and due > now:
        return f", next attempt {times.relative(due, now=now)}"
    expires_at = life["expires_at"]
    return f", expires {times.relative(times.parse(expires_at), now=now)}" if expires_at else ""


def _due(life: Mapping[str, Any]) -> datetime | None:
    """Return when the last retry that was told of is due."""
    told = [event["data"].get("not_before") for event in life["events"] if event["type"] == Event.RETRYING]
    return times.parse(told[-1]) if told and told[-1] else None


def _events(life: Mapping[str, Any]) -> Table:
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(justify="right", no_wrap=True, style="dim")
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for event in life["events"]:
        told = happening.of(event)
        table.add_row(_offset(told, life["started_at"]), told.what, told.more)
    return table


def _offset(told: happening.Happening, started_at: str | None) -> Text:
    since = times.span(told.time - times.parse(started_at)) if started_at else ""
    return Text(f"+{since}" if since else "", style="dim")
