"""What a rule says of a member of the notification: a plain value, or one that is picked from the event. Pure.

`{ pick = "…" }` stands for what the expression finds. Where that is nothing (or null), the member is left out.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from typing import Any

from producer.rules import expression
from producer.rules.expression import Expression, ExpressionError, Failed
from tocsin.settings.shape import Path
from tocsin.validation import Fault, pointer

PICK = "pick"

_HUGE = 2**63

# A place in the rule, and what is wrong there.
Wrong = Callable[[Path, str], None]


@dataclass(frozen=True, slots=True)
class Plain:
    """A value that is meant as it stands."""

    value: Any


@dataclass(frozen=True, slots=True)
class Pick:
    """A value that the event has."""

    expression: Expression


@dataclass(frozen=True, slots=True)
class Table:
    """An object whose members may be picked."""

    members: "Mapping[str, Member]"


@dataclass(frozen=True, slots=True)
class Row:
    """A list whose items may be picked; those that find nothing are left out."""

    items: "Sequence[Member]"


Member = Plain | Pick | Table | Row


class _Nothing:
    """What a pick leaves that finds nothing."""


_NOTHING = _Nothing()


@dataclass(frozen=True, slots=True, kw_only=True)
class Filled:
    """What came of a member. `missing` has the expressions that found nothing, by the place that they were for."""

    value: Any = None
    missing: Mapping[str, str] = field(default_factory=dict)
    faults: Sequence[Fault] = ()


def read(value: Any, path: Path, wrong: Wrong) -> Member:
    """Return a member as a file has it. What is wrong is told, and then stands for nothing."""
    if isinstance(value, Mapping):
        if PICK in value:
            return _pick(value, path, wrong)
        if any("\0" in name for name in value):
            wrong(path, "has a key with a NUL, which cannot be kept")
            return _unknown()
        return Table({name: read(below, (*path, name), wrong) for name, below in value.items()})
    if isinstance(value, list):
        return Row([read(below, (*path, index), wrong) for index, below in enumerate(value)])
    if (strange := _no_json(value)) is not None:
        wrong(path, strange)
        return _unknown()
    return Plain(value)


def fill(members: Mapping[str, Member], document: Any) -> Filled:
    """Return the object that the members make of an event. Raises nothing."""
    missing: dict[str, str] = {}
    faults: list[Fault] = []
    value = _filled(Table(members), document, (), missing, faults)
    return Filled(value=value, missing=missing, faults=faults)


def sketch(member: Member, path: Path = ()) -> tuple[Any, Sequence[str]]:
    """Return the member with null in place of all that is picked, and the places of those, as JSON Pointers."""
    match member:
        case Plain(value=value):
            return value, ()
        case Pick():
            return None, (pointer(path),)
        case Table(members=members):
            found = {name: sketch(below, (*path, name)) for name, below in members.items()}
            return {name: each[0] for name, each in found.items()}, [p for each in found.values() for p in each[1]]
        case Row(items=items):
            listed = [sketch(below, (*path, index)) for index, below in enumerate(items)]
            return [each[0] for each in listed], [place for each in listed for place in each[1]]


def _pick(value: Mapping[str, Any], path: Path, wrong: Wrong) -> Member:
    text = value[PICK]
    if len(value) > 1:
        strange = next(name for name in value if name != PICK)
        wrong((*path, strange), f'stands beside {PICK}, which stands alone: {{ {PICK} = "…" }}')
    elif not isinstance(text, str):
        wrong((*path, PICK), "must be text, a JMESPath expression")
    else:
        try:
            return Pick(expression.parse(text))
        except ExpressionError as error:
            wrong((*path, PICK), str(error))
    return _unknown()


def _unknown() -> Member:
    """Return what stands for a member that could not be read: like a pick, so that nothing else is said of it."""
    return Pick(expression.parse("@"))


def _no_json(value: Any) -> str | None:
    """Return why a value of TOML is none that a notification may have, None if it may."""
    match value:
        case str():
            return "holds a NUL, which cannot be kept" if "\0" in value else None
        case bool() | None:
            return None
        case int():
            return None if abs(value) < _HUGE else "is a number that is out of range"
        case float():
            return None if isfinite(value) else "must be a number as JSON has it"
    return "must be text: put the date in quotes"


def _filled(member: Member, document: Any, path: Path, missing: dict[str, str], faults: list[Fault]) -> Any:
    match member:
        case Plain(value=value):
            return value
        case Pick(expression=wanted):
            return _picked(wanted, document, pointer(path), missing, faults)
        case Table(members=members):
            found = {name: _filled(below, document, (*path, name), missing, faults) for name, below in members.items()}
            return {name: value for name, value in found.items() if value is not _NOTHING}
        case Row(items=items):
            listed = [_filled(each, document, (*path, index), missing, faults) for index, each in enumerate(items)]
            return [value for value in listed if value is not _NOTHING]


def _picked(wanted: Expression, document: Any, place: str, missing: dict[str, str], faults: list[Fault]) -> Any:
    try:
        found = wanted.search(document)
    except Failed as error:
        faults.append(Fault(pointer=place, detail=f"cannot be picked: {wanted.text} {error}"))
        return _NOTHING
    if found is None:
        missing[place] = wanted.text
        return _NOTHING
    return found
