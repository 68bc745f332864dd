"""A request as the bytes of HTTP/1.1 (RFC 9112), in one piece."""

import re

from tocsin.net.http import Request
from tocsin.net.origin import Origin

# RFC 9110, sections 5.1 and 5.5.
_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+\-.^_`|~]+")
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
_OURS = frozenset({"host", "content-length", "transfer-encoding"})
_WITH_CONTENT = frozenset({"POST", "PUT", "PATCH"})


def encode(request: Request, origin: Origin, target: str) -> bytes:
    """Return a request as bytes.

    Raises ValueError, without the value in its words, for a method or a header that could end its line early or name
    another length than the body's: that is a bug of the caller.
    """
    if not _TOKEN.fullmatch(request.method):
        raise ValueError("the method is not a token")
    lines = [f"{request.method} {target} HTTP/1.1\r\nHost: {origin.authority}"]
    for name, value in request.headers.items():
        if not _TOKEN.fullmatch(name):
            raise ValueError("a header's name is not a token")
        if name.lower() in _OURS:
            raise ValueError(f"the header {name} is set by the client")
        if not _VALUE.fullmatch(value):
            raise ValueError(f"the header {name} holds a character that no header may")
        lines.append(f"{name}: {value}")
    if request.body or request.method in _WITH_CONTENT:
        lines.append(f"Content-Length: {len(request.body)}")
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + request.body
