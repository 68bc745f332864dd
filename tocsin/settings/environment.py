"""Settings out of the environment: `TOCSIN__SECTION__KEY`, deeper tables by more double underscores.

A text setting takes the variable as it is; any other is read as a TOML literal, and a list also as values between
commas. A variable of this form that names no setting is a mistake: silence would hide a typing error.
"""

import tomllib
from collections.abc import Mapping
from typing import Any

from tocsin.settings import shape
from tocsin.settings.mistakes import Mistake
from tocsin.settings.shape import Path
from tocsin.settings.suggest import nearest

PREFIX = "TOCSIN__"


class Environment:
    """The variables that are settings. `mistakes` holds what is wrong with the others."""

    def __init__(self, environ: Mapping[str, str], root: Mapping[str, Any]) -> None:
        self.tree: dict[str, Any] = {}
        self.mistakes: list[Mistake] = []
        for name in sorted(environ):
            if name.startswith(PREFIX):
                self._take(name, environ[name], root)

    def where(self, path: Path) -> str:
        """Return the variable that sets a key."""
        return f"environment {variable(path)}"

    def _take(self, name: str, text: str, root: Mapping[str, Any]) -> None:
        path = tuple(name.removeprefix(PREFIX).lower().split("__"))
        kind = _at(root, path)
        if kind is None:
            detail = _strange(name, root)
        elif (keys := shape.fields(kind)) is not None:
            detail = "is a table; set one of its keys: " + ", ".join(variable((*path, key)) for key in keys)
        else:
            _put(self.tree, path, _value(text, kind))
            return
        self.mistakes.append(Mistake(key=shape.dotted(path), source=f"environment {name}", detail=detail))


def variable(path: Path) -> str:
    """Return the variable that would set a key."""
    return PREFIX + "__".join(str(part).upper() for part in path)


def _at(root: Mapping[str, Any], path: tuple[str, ...]) -> Any:
    """Return the type of the setting at a path, None if there is no such setting."""
    known: Mapping[str, Any] | None = root
    kind: Any = None
    for name in path:
        kind = known.get(name) if known is not None else shape.of_values(kind)
        if kind is None or not name:
            return None
        known = shape.fields(kind)
    return kind


def _strange(name: str, root: Mapping[str, Any]) -> str:
    near = nearest(name, _variables(root, ()))
    return f"is no setting; did you mean {near}?" if near else "is no setting; `tocsin config show` lists them"


def _variables(known: Mapping[str, Any], above: Path) -> list[str]:
    found: list[str] = []
    for name, kind in known.items():
        deeper = shape.fields(kind)
        found += [variable((*above, name))] if deeper is None else _variables(deeper, (*above, name))
    return found


def _value(text: str, kind: Any) -> Any:
    if shape.is_text(kind):
        return text
    item = shape.of_items(kind)
    if item is not None and not text.lstrip().startswith("["):
        return [_value(part.strip(), item) for part in text.split(",") if part.strip()]
    return _literal(text)


def _literal(text: str) -> Any:
    """Return a TOML literal, or the text itself where it is none: the check then says what it should have been."""
    try:
        found = tomllib.loads(f"value = {text}")
    except tomllib.TOMLDecodeError:
        return text
    return found["value"] if len(found) == 1 else text


def _put(tree: dict[str, Any], path: tuple[str, ...], value: Any) -> None:
    for name in path[:-1]:
        tree = tree.setdefault(name, {})
    tree[path[-1]] = value
