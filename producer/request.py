"""A record of `notifications.requests` → the notification that it asks for, or why it cannot be read as one. Pure.

The record is a bare notification, the body of `POST /v1/notifications`, or a CloudEvent whose data is one.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec

from producer import cloudevents
from producer.cloudevents import Identity, NotAnEvent
from producer.submit import Item, KeyReused, Refused
from tocsin import deadletter
from tocsin.deadletter import Reason
from tocsin.record import Headers, Received
from tocsin.validation import Fault
from tocsin.web import body, problems
from tocsin.web.problems import ProblemError

KEY = "idempotency-key"

_MAX_KEY = 255
# What may stand around the notification in a structured event.
_ENVELOPE = 64 * 1024
_DATA = "/data"
_MALFORMED = 400
_encoder = msgspec.json.Encoder()


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why a record is not taken, in words without contents. `faults` point into its value.

    With a `rule`, it is that rule which cannot use the event, and they point into the notification that it makes.
    """

    reason: Reason
    detail: str
    faults: Sequence[Fault] = ()
    event: Identity | None = None
    rule: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What to submit. `base` is where the notification is in the record's value, a JSON Pointer.

    `rule` is the one that made it of an event, and `missing` what it looked for in vain: expressions by the places in
    the notification that they were for.
    """

    item: Item
    base: str = ""
    event: Identity | None = None
    rule: str | None = None
    missing: Mapping[str, str] = field(default_factory=dict)


Ask = Request | Refusal


class RequestReader:
    """Reads requests of one log. `max_bytes` is what a notification may have at most."""

    def __init__(self, *, max_bytes: int, log_identity: str) -> None:
        self._max_bytes = max_bytes
        self._log_identity = log_identity

    def asks(self, received: Received) -> Sequence[Ask]:
        """See `requests.Reader`: a record asks for one notification."""
        return (self.read(received),)

    def read(self, received: Received) -> Ask:
        """Read one record. Never raises."""
        try:
            return self._read(received)
        except NotAnEvent as error:
            return refusal(error.reason, str(error), error.faults)
        except ProblemError as error:
            return unreadable(error)

    def _read(self, received: Received) -> Request | Refusal:
        kind = cloudevents.content_type(received.headers)
        structured = kind is not None and kind.startswith(cloudevents.FAMILY)
        if kind is not None and kind not in {cloudevents.JSON, cloudevents.STRUCTURED}:
            # Said of its type rather than of what a decoder of JSON makes of it.
            wanted = cloudevents.STRUCTURED if structured else cloudevents.JSON
            return refusal(Reason.BROKEN_HEADERS, f"header content-type is not {wanted}")
        if len(received.value) > self._max_bytes + (_ENVELOPE if structured else 0):
            return self._too_large()
        if structured:
            return self._structured(received)
        event = cloudevents.binary(received.headers) if cloudevents.is_binary(received.headers) else None
        key = _event_key(event) if event else self._bare_key(received)
        return self._request(received, body.decode(received.value), size=len(received.value), key=key, event=event)

    def _structured(self, received: Received) -> Request | Refusal:
        event, data = cloudevents.structured(body.decode(received.value))
        size = len(_encoder.encode(data))
        if size > self._max_bytes:
            return self._too_large()
        request = self._request(received, data, size=size, key=_event_key(event), event=event)
        return based(request, _DATA) if isinstance(request, Refusal) else replace(request, base=_DATA)

    def _request(
        self, received: Received, document: Any, *, size: int, key: str, event: Identity | None
    ) -> Request | Refusal:
        if isinstance(document, dict) and "idempotency_key" in document:
            instead = "the event's source and id are its key" if event else f"send the header {KEY}"
            fault = Fault(pointer="/idempotency_key", detail=f"belongs to an item of a batch over HTTP; {instead}")
            return replace(refusal(Reason.INVALID, "", [fault]), event=event)
        item = Item(document=document, size=size, key=key, asked_at=received.timestamp)
        return Request(item=item, event=event)

    def _bare_key(self, received: Received) -> str:
        given = _last(received.headers, KEY)
        if given is None:
            return self._place(received)
        try:
            text = given.decode()
        except UnicodeDecodeError:
            raise NotAnEvent(Reason.BROKEN_HEADERS, f"header {KEY} is not UTF-8") from None
        if not 0 < len(text) <= _MAX_KEY or "\0" in text:
            raise NotAnEvent(Reason.BROKEN_HEADERS, f"header {KEY} must have 1 to {_MAX_KEY} characters, and no NUL")
        return text

    def _place(self, received: Received) -> str:
        """Return the key of a record that has none: its place, which no other record of any log has.

        A replay has the key of the letter that it is of instead, so that it is one notification though a crash may
        have it put on the topic twice.
        """
        replayed = _last(received.headers, deadletter.REPLAY_OF)
        if replayed is not None:
            return hashed("replay", replayed.decode(errors="replace"))
        return hashed("record", self._log_identity, *map(str, received.source))

    def _too_large(self) -> Refusal:
        return refusal(Reason.TOO_LARGE, f"The notification may have at most {self._max_bytes:,} bytes.")


def refused(request: Request, result: Refused | KeyReused) -> Refusal:
    """Return why a request that was read could not be submitted."""
    if isinstance(result, Refused):
        found = based(refusal(Reason.INVALID, "", _explained(request, result.faults)), request.base)
    else:
        found = refusal(Reason.KEY_REUSED, "Its idempotency key was used before with another body.")
    return replace(found, event=request.event, rule=request.rule)


def based(refused: Refusal, base: str) -> Refusal:
    """Return a refusal of what is at `base`, as one of the whole value."""
    faults = [Fault(pointer=base + fault.pointer, detail=fault.detail) for fault in refused.faults]
    return replace(refusal(refused.reason, refused.detail, faults), event=refused.event)


def refusal(reason: Reason, detail: str, faults: Sequence[Fault] = ()) -> Refusal:
    """Return a refusal, worded after its faults where it has some."""
    worded = problems.invalid(*faults).detail if faults else detail
    return Refusal(reason=reason, detail=worded, faults=tuple(faults))


def unreadable(error: ProblemError) -> Refusal:
    """Return the refusal of a body that cannot be decoded.

    It is read as that of an HTTP request is, and the bounds of both are the same.
    """
    reason = Reason.UNDECODABLE if error.status == _MALFORMED else Reason.INVALID
    return refusal(reason, error.detail, error.faults)


def hashed(kind: str, *parts: str) -> str:
    """Return a key of ours, of bounded length. The parts that clients give hold no control characters."""
    text = "\x1f".join(parts).encode()
    return f"{kind}:{hashlib.sha256(text).hexdigest()}"


def _explained(request: Request, faults: Sequence[Fault]) -> Sequence[Fault]:
    """Return the faults, with what was looked for in vain where something is wrong for the want of it."""
    return [
        Fault(
            pointer=fault.pointer, detail=f"{fault.detail}; the event has nothing at {request.missing[fault.pointer]}"
        )
        if fault.pointer in request.missing
        else fault
        for fault in faults
    ]


def _event_key(event: Identity) -> str:
    return hashed("event", event.source, event.id)


def _last(headers: Headers, name: str) -> bytes | None:
    return next((value for found, value in reversed(headers) if found.lower() == name), None)
