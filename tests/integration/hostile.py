"""Texts that were made to break something, the places of a notification where they can stand, and a strict reader."""

import copy
import email
import email.errors
import email.policy
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from email.message import Message
from typing import Any

from tests.support.gateways import NOTIFICATION

TEXTS: Mapping[str, str] = {
    "crlf and a header": "a\r\nBcc: victim@example.test",
    "lf and a header": "a\nBcc: victim@example.test",
    "cr and a header": "a\rBcc: victim@example.test",
    "crlf and a folded header": "a\r\n Bcc: victim@example.test",
    "end of headers": "a\r\n\r\n<script>alert(1)</script>",
    "end of the message": "a\r\n.\r\nMAIL FROM:<evil@example.test>\r\nRCPT TO:<victim@example.test>\r\nDATA\r\n",
    "end of the message, bare": "a\n.\nMAIL FROM:<evil@example.test>\n",
    "encoded words that decode to a header": "=?utf-8?q?a=0D=0ABcc=3A_victim=40example=2Etest?=",
    "percent-encoded": "a%0d%0aBcc:%20victim@example.test",
    "line separators": "a\u2028Bcc: victim@example.test\u2029\u0085b\x0bc\x0cd",
    "nul": "a\0b",
    "half a surrogate pair": "a\ud800b",
    "right to left": "\u202egro.live\u202c\u2066a\u2069",
    "escape sequence": "\x1b]0;owned\x07\x1b[31ma",
    "delete and c1": "a\x7f\x9bb",
    "byte order mark and invisible": "\ufeffa\u200b\u2060\ufffe\uffff",
    "astral and combining": "\U0001f468\u200d\U0001f469\u200d\U0001f467 Z\u0351\u0327\u0321\u0356\u0325\u0334a\u0310",
    "template language": "{{ 7 * 7 }}{% for i in range(9999999) %}x{% endfor %}",
    "quotes and brackets": '"><img src=x onerror=alert(1)>\'\\"(),:;<>@[\\]',
    "sql": "'; DROP TABLE notifications; --",
    "path": "../../../../etc/passwd",
    "long": "a" * 2000,
    "blank": " ",
    "empty": "",
}


@dataclass(frozen=True, slots=True)
class Place:
    """Where in a notification a text can stand. `key`: the text is a key of the object at the pointer."""

    pointer: str
    base: Mapping[str, Any]
    key: bool = False

    def filled(self, text: str) -> dict[str, Any]:
        """Return the notification with the text there."""
        document: dict[str, Any] = copy.deepcopy(dict(self.base))
        *path, last = self.pointer.split("/")[1:]
        parent: Any = document
        for step in path:
            parent = parent[int(step)] if isinstance(parent, list) else parent[step]
        if self.key:
            parent[last] = {text: "value"}
        else:
            parent[int(last) if isinstance(parent, list) else last] = text
        return document


_FILE = {"filename": "invoice.txt", "content_type": "text/plain", "content": "aGVsbG8=", "content_id": "logo@example"}
_CONTENT = {
    "recipient": {"id": "cust-42", "email": "ada@example.test", "locale": "de"},
    "channels": ["email"],
    "content": {"email": {"subject": "Your parcel", "text": "It arrives.", "html": "<p>It arrives.</p>"}},
    "attachments": [_FILE],
    "category": "orders",
    "metadata": {"order": "1001"},
}
PLACES: Sequence[Place] = (
    *(
        Place(pointer, _CONTENT)
        for pointer in (
            *("/recipient/id", "/recipient/email", "/recipient/locale", "/channels/0", "/lane", "/category"),
            *("/content/email/subject", "/content/email/text", "/content/email/html", "/metadata/order", "/expires_at"),
            *(f"/attachments/0/{name}" for name in _FILE),
        )
    ),
    Place("/metadata", _CONTENT, key=True),
    Place("/template", NOTIFICATION),
    Place("/data/order", NOTIFICATION),
    Place("/data/items/0/name", NOTIFICATION),
    Place("/data/extra", NOTIFICATION, key=True),
)


def cases() -> Iterator[tuple[Place, str, str]]:
    """Yield every place with every text and its name."""
    for place in PLACES:
        for name, text in TEXTS.items():
            yield place, name, text


def encoded(document: object) -> bytes:
    """Return JSON in ASCII: half a surrogate pair has no UTF-8, and is an escape."""
    return json.dumps(document).encode("ascii")


_LONGEST_LINE = 998
_STRICT = email.policy.SMTP.clone(raise_on_defect=True)
HEADERS = frozenset(
    {
        *("Date", "Message-ID", "From", "To", "Subject", "MIME-Version", "Auto-Submitted"),
        *("Content-Type", "Content-Transfer-Encoding", "Content-Disposition", "Content-ID"),
    }
)


def defect(raw: bytes) -> str | None:
    """Return what a strict reader has against a mail: a defect, a line too long, a header not ours, or one twice."""
    bare = raw.replace(b"\r\n", b"")
    if b"\r" in bare or b"\n" in bare:
        return "a line that does not end in CRLF"
    if max(map(len, raw.split(b"\r\n"))) > _LONGEST_LINE:
        return "a line that is too long"
    try:
        message = email.message_from_bytes(raw, policy=_STRICT)
        return next(filter(None, map(_part_defect, message.walk())), None)
    except email.errors.MessageError as error:
        return repr(error)


def _part_defect(part: Message) -> str | None:
    names = part.keys()
    if strange := set(names) - HEADERS:
        return f"headers {strange}"
    if len(names) != len(set(names)):
        return f"a header twice among {names}"
    broken = [name for name in names if set(str(part[name])) & set("\r\n\0")]
    if not part.is_multipart():
        part.get_payload(decode=True)
    return f"a line break decoded from {broken}" if broken else None
