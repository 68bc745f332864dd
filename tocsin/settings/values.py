"""The settings as they hold: typed sections, and for each key where its value came from."""

from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

import msgspec

from tocsin.settings import shape
from tocsin.settings.shape import Path

_MASK = "********"

S = TypeVar("S", bound=msgspec.Struct)


class Settings:
    """Read-only. Made by `load.load`; the owners of sections are given their struct, not this."""

    def __init__(self, sections: Mapping[str, msgspec.Struct], origins: Mapping[Path, str]) -> None:
        self._sections = sections
        self._origins = origins

    def section(self, name: str, kind: type[S]) -> S:
        """Return a section ("" is the top level). Raises KeyError or TypeError for one that was not declared so."""
        found = self._sections[name]
        if not isinstance(found, kind):
            raise TypeError(f"section [{name}] is {type(found).__name__}, not {kind.__name__}")
        return found

    def origin(self, key: str) -> str:
        """Return where a dotted key has its value from: `default`, `file …`, `override` or `environment …`.

        A key within a list or a table with free keys has its own origin, or else that of what holds it.
        """
        path = _parsed(key)
        for length in range(len(path), 0, -1):
            if (found := self._origins.get(path[:length])) is not None:
                return found
        return "default"

    def flat(self) -> dict[str, Any]:
        """Return every key, dotted, with its value; secrets that are set are masked."""
        found: dict[str, Any] = {}
        for name, section in self._sections.items():
            found |= _flat(section, type(section), (name,) if name else (), secret=False)
        return found


def _flat(value: Any, kind: Any, path: Path, *, secret: bool) -> Iterator[tuple[str, Any]]:
    secret = secret or shape.is_secret(kind)
    below = list(_below(value, kind))
    if not below:
        yield shape.dotted(path), _MASK if secret and value else value
    for name, inner, inner_kind in below:
        yield from _flat(inner, inner_kind, (*path, name), secret=secret)


def _below(value: Any, kind: Any) -> Iterator[tuple[str | int, Any, Any]]:
    """Return what lies under a table, a table with free keys, or a list of tables."""
    known, of_values, of_items = shape.fields(kind), shape.of_values(kind), shape.of_items(kind)
    if known is not None and isinstance(value, msgspec.Struct):
        names = {field.encode_name: field.name for field in msgspec.structs.fields(value)}
        yield from ((name, getattr(value, names[name]), inner) for name, inner in known.items())
    elif of_values is not None and isinstance(value, Mapping):
        yield from ((name, inner, of_values) for name, inner in value.items())
    elif of_items is not None and shape.fields(of_items) is not None and value:
        yield from ((index, inner, of_items) for index, inner in enumerate(value))


def _parsed(key: str) -> Path:
    parts = key.replace("[", ".[").split(".")
    return tuple(int(part[1:-1]) if part.startswith("[") else part for part in parts)
