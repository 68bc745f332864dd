"""The shape of a section: what kind of thing lies under each key, read from the types of its struct.

A shape has no state; it looks at msgspec structs (tables), `dict[str, X]` (tables with free keys) and lists.
"""

import types
import typing
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

Path = tuple[str | int, ...]


def bare(kind: Any) -> Any:
    """Return a type without its annotations and without `| None`. A union of more stays what it is."""
    if typing.get_origin(kind) is typing.Annotated:
        return bare(typing.get_args(kind)[0])
    if typing.get_origin(kind) in (types.UnionType, typing.Union):
        others = [arg for arg in typing.get_args(kind) if arg is not types.NoneType]
        return bare(others[0]) if len(others) == 1 else kind
    return kind


def fields(kind: Any) -> Mapping[str, Any] | None:
    """Return the keys of a table and their types, None if the type is no table."""
    struct = bare(kind)
    if not (isinstance(struct, type) and issubclass(struct, msgspec.Struct)):
        return None
    return {field.encode_name: field.type for field in msgspec.structs.fields(struct)}


def required(kind: Any) -> Sequence[str]:
    """Return the keys of a table that have no default."""
    return [field.encode_name for field in msgspec.structs.fields(bare(kind)) if field.required]


def of_values(kind: Any) -> Any:
    """Return the type of the values of a table with free keys, None if the type is no such table."""
    if typing.get_origin(bare(kind)) is not dict:
        return None
    return typing.get_args(bare(kind))[1]


def of_items(kind: Any) -> Any:
    """Return the type of the items of a list, None if the type is no list."""
    if typing.get_origin(bare(kind)) not in (list, tuple, set, frozenset):
        return None
    return typing.get_args(bare(kind))[0]


def is_text(kind: Any) -> bool:
    """Return whether a setting's value is text: a string, or one of a few words."""
    plain = bare(kind)
    if typing.get_origin(plain) is typing.Literal:
        return all(isinstance(word, str) for word in typing.get_args(plain))
    return isinstance(plain, type) and issubclass(plain, str)


def is_secret(kind: Any) -> bool:
    """Return whether the field is marked `msgspec.Meta(extra={"secret": True})`."""
    if typing.get_origin(kind) is typing.Annotated:
        metas = (meta for meta in typing.get_args(kind)[1:] if isinstance(meta, msgspec.Meta))
        return any((meta.extra or {}).get("secret") for meta in metas) or is_secret(typing.get_args(kind)[0])
    return any(is_secret(arg) for arg in typing.get_args(kind) if typing.get_origin(arg) is typing.Annotated)


def dotted(path: Path) -> str:
    """Return a path as people write it: `email.providers[0].host`."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return text.removeprefix(".")
