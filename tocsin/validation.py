"""JSON Schema (draft 2020-12) checks: fast where it matters, well worded where it fails.

`jsonschema-rs` decides, `jsonschema` words the errors of what was refused. The two agree on our schemas, which keep to
the subset on which they do; a differential test holds that.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jsonschema
import jsonschema_rs


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
        """Return what is wrong with the instance, at most 20 faults, in document order. Empty if it is valid."""
        if self._fast.is_valid(instance):
            return ()
        found = [fault for error in self._reference.iter_errors(instance) for fault in _worded(error)]
        found.sort(key=lambda fault: fault.pointer)
        return found[:20] or (Fault(pointer="", detail="is not valid"),)


def pointer(path: Sequence[str | int]) -> str:
    """Return a path as a JSON Pointer."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in path)


def _worded(error: jsonschema.ValidationError) -> Sequence[Fault]:
    """Return one fault an error, worded for the person who sent the document. No value is repeated back."""
    path = list(error.absolute_path)
    expected = error.validator_value
    match error.validator:
        case "required":
            missing = [name for name in expected if name not in error.instance]
            return [Fault(pointer=pointer([*path, name]), detail="is required") for name in missing[:1]]
        case "additionalProperties" | "unevaluatedProperties":
            known = set(error.schema.get("properties", {}))
            strange = [name for name in error.instance if name not in known]
            hint = f"is not known here; known: {', '.join(sorted(known))}" if known else "is not known here"
            return [Fault(pointer=pointer([*path, name]), detail=hint) for name in strange]
        case "type":
            wanted = expected if isinstance(expected, str) else " or ".join(expected)
            detail = f"must be {_ARTICLES.get(wanted, wanted)}"
        case "enum":
            detail = "must be one of " + ", ".join(str(value) for value in expected)
        case "const":
            detail = f"must be {expected!r}"
        case "minLength" | "minItems" | "minProperties":
            detail = "must not be empty" if expected == 1 else f"must have at least {expected} {_UNITS[error.validator]}"
        case "maxLength" | "maxItems" | "maxProperties":
            detail = f"must have at most {expected} {_UNITS[error.validator]}"
        case "minimum":
            detail = f"must be at least {expected}"
        case "maximum":
            detail = f"must be at most {expected}"
        case "pattern" | "format" | "not" | "oneOf" | "anyOf" | "uniqueItems" | "dependentRequired":
            detail = str(error.schema.get("x-detail") or f"does not match the rule `{error.validator}`")
        case _:
            detail = f"does not match the rule `{error.validator}`"
    return [Fault(pointer=pointer(path), detail=detail)]


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
