"""A notification in few lines, as the demo shows it: each delivery, and under it what happened, and when."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from tocsin.cli import happening, output, times
from tocsin.lifecycle import Event

_LONGEST_ADDRESS = 34
_INDENT = 3


def story(title: str, document: Mapping[str, Any]) -> RenderableType:
    """Return a notification, as the API gives it, under a title. No line is wrapped: what has no place is cut."""
    state = output.state(document["state"])
    lines = [Text.assemble((output.plain(document["id"]), "dim"), "  ", state)]
    deliveries = document["deliveries"]
    names = _aligned([output.plain(each["channel"]) for each in deliveries])
    addresses = _aligned([output.address(each["address"], most=_LONGEST_ADDRESS) for each in deliveries])
    for delivery, name, address in zip(deliveries, names, addresses, strict=True):
        lines.append(Text.assemble((name, "bold"), "  ", address, "  ", output.state(delivery["state"])))
        lines += _events(delivery["lives"])
    for line in lines:
        line.no_wrap, line.overflow = True, "ellipsis"
    return Group(Text(f"\n{title}", style="bold"), Padding(Group(*lines), (0, 0, 0, _INDENT), expand=False))


def _aligned(words: Sequence[str], *, right: bool = False) -> list[str]:
    """Return words, each as wide as the widest."""
    widest = max(map(len, words), default=0)
    return [word.rjust(widest) if right else word.ljust(widest) for word in words]


def _events(lives: Sequence[Mapping[str, Any]]) -> Iterator[Text]:
    # That it was delivered, the attempt before has said.
    told = [(life, event) for life in lives for event in life["events"] if event["type"] != Event.DELIVERED]
    happened = [happening.of(event) for _, event in told]
    offsets = [
        times.span(each.time - times.parse(life["started_at"])) for (life, _), each in zip(told, happened, strict=True)
    ]
    whats = _aligned([each.what.plain for each in happened])
    for offset, what, each, (_, event) in zip(_aligned(offsets, right=True), whats, happened, told, strict=True):
        yield Text.assemble((f"  +{offset}  ", "dim"), (what, each.what.style), "  ", (_more(event, each), "dim"))


def _more(event: Mapping[str, Any], told: happening.Happening) -> str:
    """Return what to say of an event: of a dead letter its id, since the attempt before it has said why."""
    letter = event["data"].get("dead_letter_id")
    return f"dead letter {output.plain(letter)}" if letter else told.more
