"""Attachments as body parts: base64, a file name in whatever script (RFC 2231), inline ones with a Content-ID."""

import binascii
import re
from dataclasses import dataclass
from urllib.parse import quote

from channels.email.encoding import base64_lines
from channels.email.headers import Unsendable
from tocsin.delivery import Attachment

_TYPE = re.compile(r"(?!multipart/|message/)[a-z0-9][a-z0-9!#$&^_.+-]{0,62}/[a-z0-9][a-z0-9!#$&^_.+-]{0,62}")
# Not what looks like an encoded word: some readers decode it, wherever it stands, and find line breaks in it.
_CONTENT_ID = re.compile(r"(?!.*=\?)[A-Za-z0-9!#$%&'*+/=?^_`{|}~.@-]{1,200}")
_FORBIDDEN = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff/\\\\]")
_PLAIN = re.compile(r"[A-Za-z0-9 ._()+-]{1,60}")
_MOST_NAME = 255
_PIECE = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One body part: its header fields and its encoded content."""

    content: bytes
    inline: bool


def part(attachment: Attachment) -> Part:
    """Return an attachment as a body part. Raises Unsendable if it cannot be one (its content is never repeated)."""
    kind = attachment.content_type.lower()
    if not _TYPE.fullmatch(kind):
        raise Unsendable("an attachment's content type is not like application/pdf (or is multipart or message)")
    name = attachment.filename
    if not name or len(name) > _MOST_NAME or _FORBIDDEN.search(name):
        raise Unsendable("an attachment's file name is empty, too long, or holds a slash or a control character")
    inline = attachment.content_id is not None
    disposition = b"inline" if inline else b"attachment"
    return Part(
        content=b"Content-Type: %b\r\nContent-Transfer-Encoding: base64\r\nContent-Disposition: %b;\r\n %b\r\n%b\r\n%b"
        % (kind.encode(), disposition, _filename(name), _identified(attachment.content_id), _content(attachment)),
        inline=inline,
    )


def _content(attachment: Attachment) -> bytes:
    try:
        raw = binascii.a2b_base64(attachment.content, strict_mode=True) if attachment.content else b""
    except ValueError:
        raise Unsendable("an attachment's content is not base64") from None
    return base64_lines(raw)


def _identified(content_id: str | None) -> bytes:
    if content_id is None:
        return b""
    if not _CONTENT_ID.fullmatch(content_id):
        raise Unsendable("an attachment's content_id is not like logo@example.com")
    return b"Content-ID: <%b>\r\n" % content_id.encode()


def _filename(name: str) -> bytes:
    """Return the `filename` parameter: quoted, or percent-encoded in pieces that never split a character."""
    if _PLAIN.fullmatch(name) and name == name.strip():
        return b'filename="%b"' % name.encode()
    pieces = [""]
    for character in name:
        escaped = quote(character, safe="")
        if len(pieces[-1]) + len(escaped) > _PIECE:
            pieces.append("")
        pieces[-1] += escaped
    pieces[0] = "utf-8''" + pieces[0]
    if len(pieces) == 1:
        return b"filename*=%b" % pieces[0].encode()
    return ";\r\n ".join(f"filename*{index}*={piece}" for index, piece in enumerate(pieces)).encode()
