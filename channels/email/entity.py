"""Mail that others wrote, read just so far as reports need it: header fields, and the parts of a multipart. Pure.

Nothing in it is believed and nothing of it raises. Every step is linear in the bytes, and what is more than a report
has (fields, parts, levels) is left out: the standard library's parser takes quadratic time over nested multiparts.
"""

import binascii
import quopri
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

_MOST_HEAD = 64 * 1024
_MOST_FIELDS = 200
_MOST_PARTS = 20
_DEEPEST = 3
_FIELD = re.compile(r"([!-9;-~]{1,76})[ \t]*:(.*)", re.DOTALL)
_BLANK = re.compile(rb"\r?\n\r?\n")
_TYPE = re.compile(r"\s*([A-Za-z0-9!#$&^_.+-]{1,64}/[A-Za-z0-9!#$&^_.+-]{1,64})")
_PARAMETER = re.compile(r';\s*([A-Za-z0-9*_-]{1,32})\s*=\s*(?:"([^"]{0,255})"|([^\s;"]{1,255}))')

Fields = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entity:
    """A message or a body part. The names of `fields` are in lower case; each has its values in order."""

    fields: Fields
    body: bytes

    @property
    def kind(self) -> str:
        """The content type in lower case, `text/plain` if there is none."""
        found = _TYPE.match(first(self.fields, "content-type"))
        return found[1].lower() if found else "text/plain"

    def parameter(self, name: str) -> str:
        """Return a parameter of the content type, empty if there is none."""
        for found in _PARAMETER.finditer(first(self.fields, "content-type")):
            if found[1].lower() == name:
                return found[2] if found[2] is not None else found[3]
        return ""

    @property
    def content(self) -> bytes:
        """The body without its transfer encoding; as it is where that is broken."""
        encoding = first(self.fields, "content-transfer-encoding").strip().lower()
        try:
            if encoding == "base64":
                return binascii.a2b_base64(self.body)
            return quopri.decodestring(self.body) if encoding == "quoted-printable" else self.body
        except ValueError:
            return self.body


def read(raw: bytes) -> Entity:
    """Return a message as its header fields and its body."""
    if raw[:1] == b"\n" or raw[:2] == b"\r\n":
        return Entity(fields={}, body=raw[1:] if raw[:1] == b"\n" else raw[2:])
    found = _BLANK.search(raw, 0, _MOST_HEAD)
    if found is None:
        return Entity(fields=fields(raw), body=b"")
    return Entity(fields=fields(raw[: found.start()]), body=raw[found.end() :])


def fields(head: bytes) -> Fields:
    """Return header fields, or fields in that form, unfolded. Lines that are none are left out."""
    text = head[:_MOST_HEAD].decode("utf-8", "replace").replace("\r\n", "\n")
    unfolded = text.replace("\n ", " ").replace("\n\t", " ")
    found: dict[str, tuple[str, ...]] = {}
    for line in unfolded.split("\n")[:_MOST_FIELDS]:
        if field := _FIELD.fullmatch(line):
            name = field[1].lower()
            found[name] = (*found.get(name, ()), field[2].strip())
    return found


def first(found: Fields, name: str) -> str:
    """Return the first value of a field, empty if there is none."""
    return found.get(name, ("",))[0]


def leaves(entity: Entity, depth: int = 0) -> Iterator[Entity]:
    """Iterate over the parts that have no parts, in order. What is nested too deeply is one of them."""
    boundary = entity.parameter("boundary") if entity.kind.startswith("multipart/") else ""
    if not boundary or depth >= _DEEPEST:
        yield entity
        return
    for part in _parts(entity.body, boundary.encode()):
        yield from leaves(read(part), depth + 1)


def _parts(body: bytes, boundary: bytes) -> Iterator[bytes]:
    """Iterate over the parts between the lines that are the boundary (RFC 2046, section 5.1.1)."""
    pieces = (b"\n" + body).split(b"\n--" + boundary, _MOST_PARTS + 1)
    for piece in pieces[1 : _MOST_PARTS + 1]:
        rest, end, part = piece.partition(b"\n")
        if rest.startswith(b"--"):
            return
        # Not the boundary, but a longer line that begins like it: the part goes on, and is of no use to us.
        if end and not rest.strip():
            yield part.removesuffix(b"\r")
