"""JSON Schema (draft 2020-12) checks: fast where it matters, well worded where it fails.

`jsonschema-rs` decides, `jsonschema` words the errors of what was refused. The two agree on our schemas, which keep to
the subset on which they do; a differential test holds that.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

import jsonschema
import jsonschema_rs

_MOST = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What is wrong, and where: `pointer` is a JSON Pointer (RFC 6901) into the instance."""

    pointer: str
    detail: str


class Schema:
    """One compiled schema. Raises jsonschema.SchemaError if the document is no valid schema."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        jsonschema.Draft202012Validator.check_schema(document)
        self.document = document
        self._fast = jsonschema_rs.Draft202012Validator(dict(document), validate_formats=False)
        self._reference = jsonschema.Draft202012Validator(document)

    def accepts(self, instance: Any) -> bool:
        """Return whether the instance is valid."""
        return self._fast.is_valid(instance)

    def faults(self, instance: Any) -> Sequence[Fault]:
        """Return what is wrong with the instance, at most 20 faults, by place. Empty if it is valid."""
        if self._fast.is_valid(instance):
            return ()
        found = {fault: None for error in self._reference.iter_errors(instance) for fault in _faults(error)}
        ordered = sorted(found, key=lambda fault: fault.pointer)
        return ordered[:_MOST] or (Fault(pointer="", detail="is not valid"),)


def pointer(path: Iterable[str | int]) -> str:
    """Return a path as a JSON Pointer."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in path)


def _faults(error: jsonschema.ValidationError) -> Sequence[Fault]:
    """Return an error as faults, worded for the person who sent the document. No value is repeated back."""
    path = list(error.absolute_path)
    instance: Any = error.instance
    expected: Any = error.validator_value
    match error.validator:
        case "required":
            missing = [name for name in expected if name not in instance]
            return [Fault(pointer=pointer([*path, name]), detail="is required") for name in missing]
        case _ if "propertyNames" in error.absolute_schema_path:
            return [
                Fault(
                    pointer=pointer([*path, str(instance)]),
                    detail="has a name that " + _detail(str(error.validator), error),
                )
            ]
        case "additionalProperties" | "unevaluatedProperties":
            known = sorted(_schema(error).get("properties", ()))
            strange = [name for name in instance if name not in known]
            return [Fault(pointer=pointer([*path, name]), detail=_unknown(name, known)) for name in strange]
        case keyword:
            return [Fault(pointer=pointer(path), detail=_detail(str(keyword), error))]


def _unknown(name: str, known: Sequence[str]) -> str:
    near = get_close_matches(name, known, n=1)
    if near:
        return f"is not known here; did you mean {near[0]}?"
    return f"is not known here; known: {', '.join(known)}" if known else "is not known here"


def _detail(keyword: str, error: jsonschema.ValidationError) -> str:
    expected: Any = error.validator_value
    match keyword:
        case "type":
            return f"must be {_ARTICLES.get(str(expected), expected)}"
        case "enum":
            return "must be one of " + ", ".join(map(str, expected))
        case "minimum":
            return f"must be at least {expected}"
        case "maximum":
            return f"must be at most {expected}"
        case keyword if keyword in _UNITS:
            return _size(keyword, expected)
    return str(_schema(error).get("x-detail") or f"does not match the rule `{keyword}`")


def _size(keyword: str, expected: int) -> str:
    if keyword.startswith("max"):
        return f"must have at most {expected} {_UNITS[keyword]}"
    return "must not be empty" if expected == 1 else f"must have at least {expected} {_UNITS[keyword]}"


def _schema(error: jsonschema.ValidationError) -> Mapping[str, Any]:
    return error.schema if isinstance(error.schema, Mapping) else {}


_ARTICLES = {
    "string": "a string",
    "object": "an object",
    "array": "a list",
    "integer": "an integer",
    "number": "a number",
    "boolean": "true or false",
}
_UNITS = {
    "minLength": "characters",
    "maxLength": "characters",
    "minItems": "items",
    "maxItems": "items",
    "minProperties": "keys",
    "maxProperties": "keys",
}
