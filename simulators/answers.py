"""Answers that no web framework has: cut off before they are whole."""

from fastapi import Response
from starlette.types import Receive, Scope, Send


class CutOff(Response):
    """An answer that ends after its headers: the client cannot know what became of its request."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI's
        """Begin to answer, and leave it at that: the server then closes the connection."""
        headers = [(b"content-type", b"application/json"), (b"content-length", b"100")]
        await send({"type": "http.response.start", "status": self.status_code, "headers": headers})
