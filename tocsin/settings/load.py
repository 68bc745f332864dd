"""Puts the settings together: defaults < file < overrides < environment.

All that is wrong, in whichever source, is one `SettingsError` with a line a mistake: the key, where it was written
and what to write instead. No value is repeated, for it may be a secret.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path as FilePath
from types import MappingProxyType
from typing import Any, Protocol

import msgspec

from tocsin.settings import check, describe, mistakes, shape, toml
from tocsin.settings.environment import Environment
from tocsin.settings.mistakes import Mistake
from tocsin.settings.shape import Path
from tocsin.settings.values import Settings

_NONE: Mapping[str, Mapping[str, Any]] = MappingProxyType({})


class _Layer(Protocol):
    """One source of settings."""

    @property
    def tree(self) -> Mapping[str, Any]: ...

    def where(self, path: Path) -> str: ...


class _Overrides:
    """What the program itself sets, such as `--demo`. Section "" is the top level."""

    def __init__(self, overrides: Mapping[str, Mapping[str, Any]]) -> None:
        sections = {name: dict(values) for name, values in overrides.items() if name}
        self.tree: Mapping[str, Any] = {**overrides.get("", {}), **sections}

    def where(self, path: Path) -> str:  # noqa: ARG002 -- one place for all of them
        return "override"


def load(
    sections: Mapping[str, type[msgspec.Struct]],
    *,
    path: FilePath | None,
    environ: Mapping[str, str],
    overrides: Mapping[str, Mapping[str, Any]] = _NONE,
) -> Settings:
    """Return the settings of these sections ("" is the top level). `path` None: no file, defaults hold.

    Raises SettingsError that tells every mistake there is.
    """
    root = _root(sections)
    environment = Environment(environ, root)
    layers: list[_Layer] = [_Overrides(overrides), environment]
    if path is not None:
        layers.insert(0, toml.read(path))
    wrong = [mistake for source in layers for mistake in check.layer(source.tree, root, source.where)]
    wrong += environment.mistakes
    if wrong:
        raise mistakes.error(wrong)
    return _built(sections, layers)


def _root(sections: Mapping[str, type[msgspec.Struct]]) -> dict[str, Any]:
    """Return the keys of the top level with their types: its own settings and the sections."""
    own = shape.fields(sections[""]) or {} if "" in sections else {}
    named = {name: kind for name, kind in sections.items() if name}
    if clash := own.keys() & named.keys():
        raise ValueError(f"both a section and a top-level setting: {', '.join(sorted(clash))}")
    return {**own, **named}


def _built(sections: Mapping[str, type[msgspec.Struct]], layers: list[_Layer]) -> Settings:
    tree: dict[str, Any] = {}
    origins: dict[Path, str] = {}
    for source in layers:
        _merge(tree, source.tree)
        for path in _leaves(source.tree, ()):
            origins = {known: told for known, told in origins.items() if known[: len(path)] != path}
            origins[path] = source.where(path)
    built: dict[str, msgspec.Struct] = {}
    wrong: list[Mistake] = []
    for name, kind in sections.items():
        values = tree.get(name, {}) if name else {key: tree[key] for key in shape.fields(kind) or () if key in tree}
        made = _section(values, kind, (name,) if name else (), origins)
        if isinstance(made, msgspec.Struct):
            built[name] = made
        else:
            wrong += made
    if wrong:
        raise mistakes.error(wrong)
    return Settings(built, origins)


def _section(
    values: Any, kind: type[msgspec.Struct], path: Path, origins: Mapping[Path, str]
) -> msgspec.Struct | list[Mistake]:
    """Return the section, or what is wrong with it as a whole: missing keys, and keys that do not go together."""

    def where(table: Path) -> str:
        """Return where the table was written, by any key of it."""
        return next((told for known, told in origins.items() if known[: len(table)] == table), "default")

    if absent := list(check.missing(values, kind, path, where)):
        return absent
    try:
        return msgspec.convert(values, kind)
    except msgspec.ValidationError as error:
        key = f"[{shape.dotted(path)}]" if path else "top level"
        return [Mistake(key=key, source=where(path), detail=describe.without_place(error))]


def _merge(into: dict[str, Any], tree: Mapping[str, Any]) -> None:
    for name, value in tree.items():
        below = into.get(name)
        if isinstance(value, Mapping):
            fresh: dict[str, Any] = below if isinstance(below, dict) else {}
            into[name] = fresh
            _merge(fresh, value)
        else:
            into[name] = value


def _leaves(tree: Any, path: Path) -> Iterator[Path]:
    if isinstance(tree, Mapping) and (tree or not path):
        for name, below in tree.items():
            yield from _leaves(below, (*path, name))
    else:
        yield path
