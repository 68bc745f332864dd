"""The header sections of requests and answers (RFC 9113, section 8).

Requests are told in HPACK (RFC 7541), and made of literals that enter no table. So nothing that was sent before is
part of what a section means, and no secret gets into the tables of those between.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

Headers = Sequence[tuple[str, str]]

# Fields that are in HPACK's static table as a whole, and names that are (RFC 7541, appendix A). Device tokens and what
# proves us are marked as never to be indexed (section 7.1.3).
_WHOLE = {(":method", "POST"): b"\x83", (":scheme", "https"): b"\x87"}
_NAMED = {
    ":authority": b"\x01",
    ":path": b"\x14",
    "authorization": b"\x1f\x08",
    "content-length": b"\x0f\x0d",
}
_NAME = re.compile(r":?[!#$%&'*+\-.^_`|~0-9a-z]+")
_STATUS = re.compile(rb"[1-5][0-9][0-9]")
_EMPTY_TABLE = b"\x20"
_INTEGER_MORE: Final = 0x7F
_ONE_OCTET = [bytes([number]) for number in range(_INTEGER_MORE)]


class Malformed(Exception):
    """The section could be decoded, but is no answer's: its stream is over, the connection goes on."""


class Section(NamedTuple):
    """An answer's header section. A trailer has no `status`. Names are in lower case."""

    status: int | None
    headers: Mapping[str, str]


class Encoder:
    """Encodes the header sections of requests. What it keeps are the encoded names, of which there are few."""

    def __init__(self) -> None:
        self._names = dict(_NAMED)
        self._told = b""

    def give_up_table(self) -> None:
        """Say with the next section that the table, which is not used, has no size from now on.

        A peer that makes its table smaller than it was has to be told so (RFC 7541, section 4.2).
        """
        self._told = _EMPTY_TABLE

    def encode(self, fields: Headers) -> bytes:
        """Return the section. Raises ValueError for a name or value that HTTP/2 has not: a bug."""
        names, pieces = self._names, []
        for name, value in fields:
            if whole := _WHOLE.get((name, value)):
                pieces.append(whole)
                continue
            if not value.isprintable() or value != value.strip():  # more than section 8.2.1 refuses
                raise ValueError(f"the value of {name} cannot be sent")
            raw = value.encode()
            size = len(raw)
            pieces += (
                names.get(name) or self._learn(name),
                _ONE_OCTET[size] if size < _INTEGER_MORE else _integer(size),
                raw,
            )
        told, self._told = self._told, b""
        return told + b"".join(pieces)

    def _learn(self, name: str) -> bytes:
        if not _NAME.fullmatch(name):
            raise ValueError("a header's name must be a token in lower case")
        made = self._names[name] = b"\x00" + _integer(len(name)) + name.encode()
        return made


def section(fields: Sequence[tuple[bytes, bytes]]) -> Section:
    """Return what an answer's fields say. Raises Malformed (RFC 9113, sections 8.1.1 and 8.3)."""
    status, rest = None, fields
    if fields and fields[0][0] == b":status":
        if not _STATUS.fullmatch(fields[0][1]):
            raise Malformed
        status, rest = int(fields[0][1]), fields[1:]
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in rest}
    for name in headers:
        if name[:1] == ":" or not name or name != name.lower():
            raise Malformed
    return Section(status, headers)


def _integer(number: int) -> bytes:
    """Return a number in HPACK's form with a prefix of seven bits (RFC 7541, section 5.1)."""
    if number < _INTEGER_MORE:
        return bytes([number])
    number -= _INTEGER_MORE
    octets = [_INTEGER_MORE]
    while number >= 0x80:  # noqa: PLR2004 - seven bits an octet
        octets.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*octets, number])
