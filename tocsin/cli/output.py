"""Standard output is for results, standard error for everything said about them. JSON goes out alone and untouched.

What is shown was written by others, providers among them, so control characters never reach the terminal.
"""

import os
from typing import Any

import msgspec
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

# Where nobody looks at a line, it is as long as it has to be: a program may be reading ids out of it.
_WIDE = 200

_STYLES = {
    "accepted": "cyan",
    "retrying": "yellow",
    "replaying": "yellow",
    "delivered": "green",
    "replayed": "green",
    "dead": "bold red",
    "open": "bold red",
    "expired": "magenta",
    "suppressed": "magenta",
    "cancelled": "magenta",
    "discarded": "dim",
}


def out() -> Console:
    """Return the console of results."""
    return _console(stderr=False)


def err() -> Console:
    """Return the console of errors, questions and hints."""
    return _console(stderr=True)


def _console(*, stderr: bool) -> Console:
    console = Console(stderr=stderr, markup=False, highlight=False, emoji=False)
    if not console.is_terminal and not os.environ.get("COLUMNS"):
        console.width = _WIDE
    return console


def error(message: str) -> None:
    """Say what went wrong, the first line marked."""
    err().print(Text.assemble(("error: ", "bold red"), plain(message, lines=True)), soft_wrap=True)


def note(message: str) -> None:
    """Say something beside the result."""
    err().print(Text(plain(message, lines=True), style="dim"), soft_wrap=True)


def raw_json(raw: bytes) -> None:
    """Print JSON as it came, indented: its numbers keep their digits."""
    typer.echo(msgspec.json.format(raw, indent=2))


def json(value: Any) -> None:
    """Print a value as JSON."""
    raw_json(msgspec.json.encode(value))


def more(cursor: str | None) -> None:
    """Say how a list goes on, where it does."""
    if cursor:
        note(f"There are more: add --cursor {cursor}")


def plain(value: object, *, lines: bool = False) -> str:
    """Return text without anything that a terminal would act on; None is empty. Line ends stay only if `lines`."""
    text = "" if value is None else str(value)
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() or (lines and each == "\n") else _visible(each) for each in text)


def address(value: object, *, most: int) -> str:
    """Return an address in at most so many characters.

    That of a browser is a URL and keys behind it, which have no business on a screen.
    """
    text = plain(value)
    first = text.partition(" ")[0]
    text = first if "://" in first else text
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _visible(character: str) -> str:
    return " " if character.isspace() else "\N{REPLACEMENT CHARACTER}"


def state(word: object) -> Text:
    """Return a state in its colour."""
    text = plain(word)
    return Text(text, style=_STYLES.get(text, ""))


def table(*headers: str) -> Table:
    """Return an empty table with these headers; the first column is an id and never broken."""
    made = Table(box=None, padding=(0, 2, 0, 0), header_style="bold", pad_edge=False)
    for number, header in enumerate(headers):
        made.add_column(header, no_wrap=number == 0, overflow="fold")
    return made


def facts(*rows: tuple[str, object]) -> Table:
    """Return names and values under each other; those that are None are left out."""
    made = Table.grid(padding=(0, 2, 0, 0))
    made.add_column(style="dim", no_wrap=True)
    made.add_column(overflow="fold")
    for name, value in rows:
        if value is not None and value != "":
            made.add_row(name, value if isinstance(value, Text) else plain(value))
    return made
