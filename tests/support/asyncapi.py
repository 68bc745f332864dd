"""The AsyncAPI document as a test: which message a record is, and what is wrong with it as that."""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
from jsonschema import Draft7Validator
from jsonschema.protocols import Validator

from tocsin.record import Received, Record

_CHANNELS = "channels"


class Messages:
    """The messages of one channel, with the schemas of their headers and payloads.

    AsyncAPI's own schema format is draft 07 and a little more; what our document has of it is draft 07.
    """

    def __init__(self, document: Mapping[str, Any], channel: str) -> None:
        self._document = document
        self._messages = {
            name: (self._validator(message["headers"]), self._validator(message["payload"]))
            for name, reference in document[_CHANNELS][channel]["messages"].items()
            for message in [resolved(document, reference["$ref"])]
        }

    def of(self, record: Record | Received) -> list[str]:
        """Return the messages that a record is: by its headers, and then by its payload. One, if all is well."""
        return [name for name in self._messages if not list(self.faults(record, name))]

    def faults(self, record: Record | Received, name: str) -> Iterator[str]:
        """Yield what is wrong with a record as one of the messages."""
        headers, payload = self._messages[name]
        told = {key: value.decode() for key, value in record.headers}
        yield from (error.message for error in headers.iter_errors(told))
        yield from (error.message for error in payload.iter_errors(msgspec.json.decode(record.value)))

    def _validator(self, schema: Mapping[str, Any]) -> Validator:
        # Within one document, `#/components/…` is found from its root: so each schema stands in a copy of that.
        return Draft7Validator({"components": self._document["components"], "allOf": [schema]})


def resolved(document: Mapping[str, Any], reference: str) -> Any:
    """Return what a reference within the document points to. Raises KeyError."""
    assert reference.startswith("#/"), reference
    found: Any = document
    for part in reference[2:].split("/"):
        found = found[part.replace("~1", "/").replace("~0", "~")]
    return found


def references(value: Any) -> Iterator[str]:
    """Yield every reference in a document."""
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for each in value.values():
            yield from references(each)
    elif isinstance(value, list):
        for each in value:
            yield from references(each)
