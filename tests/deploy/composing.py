"""Compose files, read as `docker compose` reads them: variables, `extends`, and files merged in the order given.

It knows what the files in `deploy/` use of the specification, and refuses what it does not know.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

DEPLOY = Path(__file__).parents[2] / "deploy"
FILES = sorted(path.name for path in DEPLOY.glob("compose*.yaml"))
COMMON = "common.yaml"
EXAMPLE = DEPLOY / ".env.example"

Tree = dict[str, Any]

_VARIABLE = re.compile(r"\$(?:(?P<escaped>\$)|\{(?P<name>\w+)(?:(?P<how>:?[-?+])(?P<word>[^}]*))?\}|(?P<bare>\w+))")
_DOCUMENTED = re.compile(r"^(?P<out>#)?(?P<name>[A-Z][A-Z0-9_]*)=(?P<value>.*)$", re.MULTILINE)
_REPLACED = frozenset({"command", "entrypoint", "test"})
# What is written as a list or as a mapping means the same.
_MAPPINGS = {"environment": None, "networks": None, "depends_on": {"condition": "service_started"}}


def text(name: str) -> str:
    """Return a file as it is."""
    return (DEPLOY / name).read_text(encoding="utf-8")


def parsed(name: str) -> Tree:
    """Return a file with nothing but its anchors resolved. Raises ValueError for a key that is there twice."""
    _once_each(yaml.compose(text(name)), name)
    found: Tree = yaml.safe_load(text(name))
    return found


def documented() -> dict[str, tuple[str, bool]]:
    """Return the variables of `.env.example`: value, and whether it is set there or only shown."""
    example = EXAMPLE.read_text(encoding="utf-8")
    return {found["name"]: (found["value"], not found["out"]) for found in _DOCUMENTED.finditer(example)}


def example() -> dict[str, str]:
    """Return what `.env.example` sets."""
    return {name: value for name, (value, is_set) in documented().items() if is_set}


def used(name: str) -> Iterator[tuple[str, str | None]]:
    """Return the variables that a file asks for, with their defaults."""
    for scalar in _scalars(parsed(name)):
        for found in _VARIABLE.finditer(scalar):
            if variable := found["name"] or found["bare"]:
                yield variable, found["word"] if found["how"] in {":-", "-"} else None
    for service in parsed(name)["services"].values():
        yield from ((key, None) for key, value in service.get("environment", {}).items() if value is None)


def load(names: Sequence[str], environ: Mapping[str, str]) -> Tree:
    """Return the project that some files make, variables taken from `environ`. Raises ValueError if one is missing."""
    project: Tree = {}
    for name in names:
        project = _merged(project, _loaded(name, environ), ())
    for service in project["services"].values():
        service["environment"] = dict(_environment(service.get("environment", {}), environ))
    return project


def port_of(published: str) -> tuple[str, int, int]:
    """Return address, port on the host and port in the container."""
    address, host, container = published.rsplit(":", 2)
    return address, int(host), int(container)


def _once_each(node: yaml.Node | None, name: str) -> None:
    """YAML's library takes the last of two equal keys; `docker compose` takes none of the file."""
    if isinstance(node, yaml.MappingNode):
        keys = [key.value for key, _ in node.value]
        if twice := [key for key in keys if keys.count(key) > 1]:
            raise ValueError(f"{name}:{node.start_mark.line + 1}: {twice[0]} is there twice")
    for below in node.value if isinstance(node, yaml.CollectionNode) else ():
        for each in below if isinstance(below, tuple) else (below,):
            _once_each(each, name)


def _loaded(name: str, environ: Mapping[str, str]) -> Tree:
    tree = _interpolated(parsed(name), environ)
    tree = {key: value for key, value in tree.items() if not key.startswith("x-")}
    tree["services"] = {key: _extended(service, environ) for key, service in tree["services"].items()}
    return dict(tree)


def _extended(service: Tree, environ: Mapping[str, str]) -> Tree:
    service = dict(service)
    base = service.pop("extends", None)
    for key, empty in _MAPPINGS.items():
        if isinstance(listed := service.get(key), list):
            service[key] = {str(each): empty for each in listed}
    if base is None:
        return service
    inherited = _loaded(base["file"], environ)["services"][base["service"]]
    if {"depends_on", "links"} & inherited.keys():
        raise ValueError(f"{base}: what others depend on cannot be extended")
    both: Tree = _merged(inherited, service, ("services", ""))
    return both


def _merged(old: Any, new: Any, path: tuple[str, ...]) -> Any:
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        both = {key: _merged(old[key], new[key], (*path, key)) for key in old if key in new}
        return {**old, **new, **both}
    if isinstance(old, list) and isinstance(new, list) and path[-1] not in _REPLACED:
        kept = {_key(each): each for each in old}
        return list((kept | {_key(each): each for each in new}).values())
    return new


def _key(item: Any) -> str:
    """Return what of an item of a list there can be but one."""
    return str(item.get("target", item)) if isinstance(item, Mapping) else str(item)


def _environment(given: Tree, environ: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for name, value in given.items():
        if value is not None:
            yield name, str(value)
        elif name in environ:
            yield name, environ[name]


def _interpolated(node: Any, environ: Mapping[str, str]) -> Any:
    if isinstance(node, dict):
        return {key: _interpolated(value, environ) for key, value in node.items()}
    if isinstance(node, list):
        return [_interpolated(value, environ) for value in node]
    return _VARIABLE.sub(lambda found: _value(found, environ), node) if isinstance(node, str) else node


def _value(found: re.Match[str], environ: Mapping[str, str]) -> str:
    if found["escaped"]:
        return "$"
    name, how, word = found["name"] or found["bare"], found["how"] or "", found["word"]
    value = environ.get(name)
    there = bool(value) if how.startswith(":") else value is not None
    if how.endswith("?") and not there:
        raise ValueError(f"required variable {name} is missing a value: {word}")
    if how.endswith("-") and not there:
        return str(word)
    if how.endswith("+"):
        return str(word) if there else ""
    return value or ""


def _scalars(node: Any) -> Iterator[str]:
    if isinstance(node, str):
        yield node
    for below in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from _scalars(below)
