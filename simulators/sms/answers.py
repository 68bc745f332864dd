"""Answers as a provider gives them: JSON, with headers of its own, or cut off before they are whole."""

from collections.abc import Mapping
from typing import Any

import msgspec
from fastapi import Response
from starlette.types import Receive, Scope, Send

from simulators.sms.faults import Fault


class CutOff(Response):
    """An answer that ends after its headers: the client cannot know what became of its request."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI's
        """Begin to answer, and leave it at that: the server then closes the connection."""
        headers = [(b"content-type", b"application/json"), (b"content-length", b"100")]
        await send({"type": "http.response.start", "status": self.status_code, "headers": headers})


def json(value: Mapping[str, Any], *, status: int = 200, fault: Fault | None = None) -> Response:
    """Return a JSON answer, with `Retry-After` where the fault says so."""
    headers = {}
    if fault is not None and fault.retry_after_seconds is not None:
        headers["Retry-After"] = str(fault.retry_after_seconds)
    return Response(
        msgspec.json.encode(value), status_code=status, media_type="application/json", headers=headers or None
    )
