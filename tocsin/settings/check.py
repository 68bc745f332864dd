"""Does what was written fit the sections? Every key is checked on its own, so that all mistakes come out together."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import msgspec

from tocsin.settings import describe, shape
from tocsin.settings.mistakes import Mistake
from tocsin.settings.shape import Path
from tocsin.settings.suggest import mend, nearest

Where = Callable[[Path], str]


def layer(tree: Mapping[str, Any], root: Mapping[str, Any], where: Where) -> Iterator[Mistake]:
    """Return what is wrong with one source of settings: strange keys and values that do not fit."""
    yield from _table(tree, root, (), where)


def missing(tree: Any, kind: Any, path: Path, where: Where) -> Iterator[Mistake]:
    """Return the keys without a default that no source has set."""
    known = shape.fields(kind)
    if known is not None and isinstance(tree, Mapping):
        for name in shape.required(kind):
            if name not in tree:
                yield Mistake(key=shape.dotted((*path, name)), source=where(path), detail="is required")
    for below, value, inner in _entries(tree, kind):
        yield from missing(value, inner, (*path, below), where)


def _entries(value: Any, kind: Any) -> Iterator[tuple[str | int, Any, Any]]:
    """Return what lies in a table or in a list and is known there: name, value, type."""
    known, of_values, of_items = shape.fields(kind), shape.of_values(kind), shape.of_items(kind)
    if known is not None and isinstance(value, Mapping):
        yield from ((name, value[name], inner) for name, inner in known.items() if name in value)
    elif of_values is not None and isinstance(value, Mapping):
        yield from ((name, below, of_values) for name, below in value.items())
    elif of_items is not None and isinstance(value, list):
        yield from ((index, below, of_items) for index, below in enumerate(value))


def _table(tree: Mapping[str, Any], known: Mapping[str, Any], path: Path, where: Where) -> Iterator[Mistake]:
    for name, value in tree.items():
        here = (*path, name)
        if name in known:
            yield from _check(value, known[name], here, where)
        else:
            what = "is no section" if not path and isinstance(value, Mapping) else "is no setting"
            yield Mistake(key=shape.dotted(here), source=where(here), detail=f"{what}; {mend(name, known)}")


def _check(value: Any, kind: Any, path: Path, where: Where) -> Iterator[Mistake]:
    known = shape.fields(kind)
    if known is not None and isinstance(value, Mapping):
        yield from _table(value, known, path, where)
        return
    entries = list(_entries(value, kind))
    if any(_deep(inner) for _, _, inner in entries):
        for name, below, inner in entries:
            yield from _check(below, inner, (*path, name), where)
        return
    try:
        msgspec.convert(value, kind)
    except msgspec.ValidationError:
        yield Mistake(key=shape.dotted(path), source=where(path), detail=_worded(value, kind))


def _deep(kind: Any) -> bool:
    """Return whether a type may hold tables, whose keys are then checked one by one."""
    return shape.fields(kind) is not None or any(
        inner is not None and _deep(inner) for inner in (shape.of_values(kind), shape.of_items(kind))
    )


def _worded(value: Any, kind: Any) -> str:
    expected = describe.expectation(kind)
    words = describe.choices(kind)
    if words and isinstance(value, str) and (near := nearest(value, words)):
        return f"must be {expected}; did you mean {near}?"
    for _, below, inner in _entries(value, kind):
        try:
            msgspec.convert(below, inner)
        except msgspec.ValidationError:
            return f"must be {expected}, each {describe.expectation(inner)}"
    got = describe.of_value(value)
    return f"must be {expected}" if got in expected or got == "a number" else f"must be {expected}, not {got}"
