"""A settings file: its values, and the line on which each was written.

`tomllib` tells no lines, so the file is read once more, a statement at a time: a statement is as many lines as it
takes until they parse, and the keys that come out of them begin on its first line.
"""

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Any

from tocsin.errors import SettingsError
from tocsin.settings.shape import Path

_PLACE = re.compile(r"^(?P<what>.*) \(at (?:line (?P<line>\d+), column (?P<column>\d+)|end of document)\)$", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """A settings file that was read. `lines` counts from 1."""

    path: FilePath
    tree: Mapping[str, Any]
    lines: Mapping[Path, int]

    def where(self, path: Path) -> str:
        """Return the file and the line of a key, or of the nearest table above it that has one."""
        for length in range(len(path), 0, -1):
            if (line := self.lines.get(path[:length])) is not None:
                return f"file {self.path}, line {line}"
        return f"file {self.path}"


def read(path: FilePath) -> File:
    """Return what the file says. Raises SettingsError, with the place, where it cannot be read or is not TOML."""
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise SettingsError(f"file {path}: is not UTF-8 at byte {error.start}; save it as UTF-8") from None
    except OSError as error:
        raise SettingsError(f"file {path}: cannot be read: {error.strerror or error}") from error
    try:
        return File(path=path, tree=tomllib.loads(text), lines=dict(_places(text)))
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"file {path}{_worded(error, text)}") from None
    except (ValueError, RecursionError):
        # Not the file's grammar, but what Python can hold: 4,300 digits, and its own stack.
        what = "it is nested too deeply, or has a number that is too long"
        raise SettingsError(f"file {path}: cannot be read: {what}") from None


def _worded(error: tomllib.TOMLDecodeError, text: str) -> str:
    found = _PLACE.match(str(error))
    if found is None:
        return f": is not TOML: {error}"
    if found["line"] is None:
        start = _last_start(text)
        return f", line {start}: is not TOML: {found['what']} before the end of what begins here"
    return f", line {found['line']}, column {found['column']}: is not TOML: {found['what']}"


def _places(text: str) -> Iterator[tuple[Path, int]]:
    """Return each key of a valid file with the line that its statement begins on; the first line wins."""
    table: Path = ()
    counts: dict[Path, int] = {}
    seen: set[Path] = set()
    for line, statement in _statements(text):
        tree = tomllib.loads(statement)
        if statement.lstrip().startswith("["):
            table = _header(tree, counts)
            found = [table[:length] for length in range(1, len(table) + 1)]
        else:
            found = [(*table, *below) for below in _keys(tree)]
        for path in found:
            if path not in seen:
                seen.add(path)
                yield path, line


def _statements(text: str) -> Iterator[tuple[int, str]]:
    """Return each statement of a valid file and the line it begins on."""
    pending: list[str] = []
    start = 1
    for line, piece in enumerate(text.split("\n"), start=1):
        if not pending:
            start = line
        pending.append(piece)
        statement = "\n".join(pending)
        if _whole(statement):
            pending = []
            if tomllib.loads(statement):
                yield start, statement


def _last_start(text: str) -> int:
    """Return the line on which the statement begins that the end of the file cuts off."""
    pending, start = "", 1
    for line, piece in enumerate(text.split("\n"), start=1):
        start = start if pending.strip() else line
        pending = pending + piece + "\n"
        if _whole(pending):
            pending = ""
    return start


def _whole(statement: str) -> bool:
    try:
        tomllib.loads(statement)
    except tomllib.TOMLDecodeError:
        return False
    return True


def _header(tree: Mapping[str, Any], counts: dict[Path, int]) -> Path:
    """Return the path that a `[table]` or `[[table]]` line opens, with the number of each list item passed."""
    path: Path = ()
    below: Any = tree
    while below:
        (name, below) = next(iter(below.items()))
        path = (*path, name)
        if isinstance(below, list):
            counts[path] = counts.get(path, -1) + 1
            below = below[0]
        if path in counts:
            path = (*path, counts[path])
    return path


def _keys(tree: Any) -> Iterator[Path]:
    items = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for name, below in items:
        yield (name,)
        yield from ((name, *deeper) for deeper in _keys(below))
