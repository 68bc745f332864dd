"""Words for what a setting must be: "an integer from 1 to 65535". Said of the type, so that it holds for any error."""

from typing import Any

import msgspec
from msgspec import inspect

_PLAIN: dict[type[inspect.Type], str] = {
    inspect.BoolType: "true or false",
    inspect.NoneType: "nothing",
    inspect.DateTimeType: "a date and time",
    inspect.DateType: "a date",
    inspect.TimeType: "a time",
    inspect.DictType: "a table",
    inspect.StructType: "a table",
}


def expectation(kind: Any) -> str:
    """Return what a value of this type is, with an article and with its bounds."""
    return _words(inspect.type_info(kind))


def of_value(value: Any) -> str:
    """Return what kind of thing a value is, without the value."""
    match value:
        case bool():
            return "true or false"
        case int() | float():
            return "a number"
        case str():
            return "text"
        case list():
            return "a list"
        case dict():
            return "a table"
    return "a " + type(value).__name__


def choices(kind: Any) -> list[str]:
    """Return the words that a setting may be, empty where it is not one of a few."""
    return _choices(_unwrapped(inspect.type_info(kind)))


def _choices(info: inspect.Type) -> list[str]:
    if isinstance(info, inspect.LiteralType):
        return [str(value) for value in info.values]
    return [str(member.value) for member in info.cls] if isinstance(info, inspect.EnumType) else []


def _unwrapped(info: inspect.Type) -> inspect.Type:
    while isinstance(info, inspect.Metadata):
        info = info.type
    return info


def _words(wrapped: inspect.Type) -> str:
    info = _unwrapped(wrapped)
    match info:
        case inspect.IntType() | inspect.FloatType():
            noun = "an integer" if isinstance(info, inspect.IntType) else "a number"
            return noun + _range(info)
        case inspect.StrType():
            return "text" + _length(info, "characters") + (f" matching {info.pattern}" if info.pattern else "")
        case inspect.LiteralType() | inspect.EnumType():
            return "one of " + ", ".join(_choices(info))
        case inspect.ListType() | inspect.VarTupleType() | inspect.SetType() | inspect.FrozenSetType():
            return "a list" + _length(info, "items")
        case inspect.UnionType():
            return " or ".join(_words(kind) for kind in info.types)
    return _PLAIN.get(type(info), "something else")


def _range(info: inspect.IntType | inspect.FloatType) -> str:
    match info:
        case inspect.IntType(ge=low, le=high) if low is not None and high is not None:
            return f" from {low} to {high}"
        case inspect.FloatType(ge=low, le=high) if low is not None and high is not None:
            return f" from {low:g} to {high:g}"
    bounds = (("at least", info.ge), ("above", info.gt), ("at most", info.le), ("below", info.lt))
    told = [f"{word} {bound:g}" for word, bound in bounds if bound is not None]
    return " " + " and ".join(told) if told else ""


def _length(info: Any, unit: str) -> str:
    if info.min_length and info.max_length is not None:
        return f" of {info.min_length} to {info.max_length} {unit}"
    if info.min_length:
        return f" of at least {info.min_length} {unit}"
    return f" of at most {info.max_length} {unit}" if info.max_length is not None else ""


def without_place(error: msgspec.ValidationError) -> str:
    """Return msgspec's message without the place in its own notation, which the key says already."""
    return str(error).partition(" - at `")[0]
