"""Events of an HTTP request, in structured, binary or batched mode. Pure but for reading the body.

Source: CloudEvents HTTP protocol binding 1.0.2, section 3; JSON event format 1.0.2, section 4 (the batch).
"""

from collections.abc import Sequence
from typing import Any
from urllib.parse import unquote_to_bytes

from starlette.requests import Request

from producer import cloudevents
from producer.cloudevents import NotAnEvent
from producer.rules import event as events
from producer.rules.event import Event
from tocsin.record import Headers
from tocsin.validation import Fault
from tocsin.web import body, problems
from tocsin.web.problems import ProblemError

PREFIX = "ce-"
BATCHED = "application/cloudevents-batch+json"

_BROKEN = 400


def content_type(request: Request) -> str | None:
    """Return the media type of a request, None if it says none."""
    given = request.headers.get("content-type", "")
    return cloudevents.media_type(given) or None


async def single(request: Request, *, max_bytes: int) -> Event:
    """Return the event of a request in structured or binary mode. Raises ProblemError."""
    kind = content_type(request)
    binary = any(name.startswith(PREFIX) for name in request.headers)
    if kind != cloudevents.STRUCTURED and not binary:
        detail = (
            f"Send the event as {cloudevents.STRUCTURED}, several as {BATCHED}, "
            f"or its attributes in headers {PREFIX}id, {PREFIX}source, {PREFIX}type and {PREFIX}specversion."
        )
        raise ProblemError(415, "unsupported", detail)
    raw = await body.read(request, limit=max_bytes)
    try:
        if kind == cloudevents.STRUCTURED:
            return events.structured(raw, max_bytes=max_bytes)
        return events.binary(_headers(request), raw, content_type=kind, max_bytes=max_bytes, prefix=PREFIX)
    except NotAnEvent as error:
        raise problem(error) from None


async def batch(request: Request, *, max_bytes: int, most: int) -> Sequence[Any]:
    """Return the documents of a batch, each of them an event or not. Raises ProblemError."""
    documents = body.decode(await body.read(request, limit=max_bytes))
    if not isinstance(documents, list):
        raise problems.invalid(Fault(pointer="", detail="must be a list of CloudEvents"))
    if len(documents) > most:
        raise problems.invalid(Fault(pointer="", detail=f"must have at most {most} events"))
    return documents


def problem(error: NotAnEvent) -> ProblemError:
    """Return what to answer for what is no event."""
    if error.faults:
        return problems.invalid(*error.faults)
    return ProblemError(_BROKEN, "malformed", f"{str(error)[:1].upper()}{str(error)[1:]}.")


def _headers(request: Request) -> Headers:
    """Return the headers of attributes with their values decoded (section 3.1.3.2)."""
    found = ((name.decode("latin-1").lower(), value) for name, value in request.headers.raw)
    return tuple((name, _value(value)) for name, value in found if name.startswith(PREFIX))


def _value(raw: bytes) -> bytes:
    text = raw.strip()
    if len(text) > 1 and text.startswith(b'"') and text.endswith(b'"'):
        # A quoted string of RFC 9110, section 5.6.4: what a backslash stands before is meant.
        parts = text[1:-1].split(b"\\\\")
        text = b"\\".join(part.replace(b"\\", b"") for part in parts)
    return unquote_to_bytes(text)
