"""The body of a delivery record: what one channel needs to reach one address. It never changes after accept.

The struct mirrors `schemas/delivery.json`. Readers keep every version that a retained record may have. A record has the
lowest version that says all of it: only a test needs version 2, so that a worker of before, which would send it to a
provider, refuses it.
"""

from datetime import datetime
from enum import StrEnum
from typing import Any, Literal

import msgspec

SCHEMA = "urn:tocsin:schema:delivery:1"
SCHEMA_OF_TESTS = "urn:tocsin:schema:delivery:2"
SCHEMAS = frozenset({SCHEMA, SCHEMA_OF_TESTS})
CLOUD_EVENT_TYPE = "tocsin.delivery"

# The tenant of everything until more are made, and of what cannot be read.
TENANT = "default"

Semantics = Literal["at_least_once", "at_most_once"]


class Lane(StrEnum):
    """Separate topics, so that an OTP never waits behind a campaign."""

    HIGH = "high"
    NORMAL = "normal"
    BULK = "bulk"


class Person(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Who is notified, without addresses."""

    id: str | None = None
    locale: str | None = None


class TemplateRef(msgspec.Struct, frozen=True, kw_only=True):
    """A template and the version (content hash) that was current at accept."""

    name: str
    version: str


class Attachment(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A file that travels with the message; `content` is base64. With `content_id` it is shown inline in the HTML."""

    filename: str
    content_type: str
    content: str
    content_id: str | None = None


class Delivery(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One channel and one address of a notification. Exactly one of `template` and `content` is set.

    A `test` never reaches a provider.
    """

    id: str
    notification_id: str
    tenant: str
    channel: str
    address: str
    recipient: Person
    lane: Lane
    category: str
    semantics: Semantics
    accepted_at: datetime
    expires_at: datetime
    template: TemplateRef | None = None
    data: dict[str, Any] = {}
    content: dict[str, Any] | None = None
    attachments: tuple[Attachment, ...] = ()
    metadata: dict[str, str] = {}
    test: bool = False


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Delivery)


def encode(delivery: Delivery) -> bytes:
    """Return the record body."""
    return _encoder.encode(delivery)


def decode(body: bytes) -> Delivery:
    """Return the delivery in a record body. Raises ValueError (msgspec's and Unicode's are such) or RecursionError."""
    return _decoder.decode(body)


def schema_of(delivery: Delivery) -> str:
    """Return the schema to name in the record's envelope."""
    return SCHEMA_OF_TESTS if delivery.test else SCHEMA
