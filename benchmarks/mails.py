"""The job: small mails from the template `welcome`, each to somebody else, as HTTP requests."""

import json
from collections.abc import Iterable, Iterator
from typing import Any

KEY = "tcs_" + "b" * 43
TEMPLATE, LOCALE = "welcome", "en"


def notification(number: int, name: str | None = None) -> dict[str, Any]:
    """Return one notification. Its name is in the subject and in the text of the mail."""
    return {
        "recipient": {"id": f"customer-{number}", "email": address(number), "locale": LOCALE},
        "channels": ["email"],
        "template": TEMPLATE,
        "data": {"name": name or f"Ada {number}"},
        "category": "orders",
    }


def address(number: int) -> str:
    """Return the recipient's address."""
    return f"customer-{number}@example.test"


def single(number: int, name: str | None = None) -> bytes:
    """Return the request that submits one notification."""
    return _post("/v1/notifications", notification(number, name))


def batch(numbers: Iterable[int]) -> bytes:
    """Return the request that submits several."""
    return _post("/v1/notifications/batch", {"notifications": [notification(number) for number in numbers]})


def batches(numbers: range, size: int) -> Iterator[bytes]:
    """Yield the requests that submit many, in batches."""
    for first in range(0, len(numbers), size):
        yield batch(numbers[first : first + size])


def _post(path: str, document: dict[str, Any]) -> bytes:
    body = json.dumps(document, separators=(",", ":")).encode()
    head = (
        f"POST {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {KEY}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body
