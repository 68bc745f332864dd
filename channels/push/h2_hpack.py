"""HPACK as we receive it (RFC 7541): the fields of a header section, and the table that sections share.

The decoder of the package `hpack` reads the same, in three times the time; its tables are used here, and the tests
compare the two.
"""

from collections import deque
from typing import Final

from hpack import HPACKDecodingError
from hpack.huffman_table import decode_huffman
from hpack.table import HeaderTable

from channels.push.h2_frames import ErrorCode, Fault

Field = tuple[bytes, bytes]

# What one section may hold, and what the table may, each counted as in section 4.1. The latter is the protocol's own,
# which our settings leave as it is.
MOST_SECTION: Final = 64 * 1024
MOST_TABLE: Final = 4096
_ENTRY: Final = 32

_STATIC: Final[tuple[Field, ...]] = ((b"", b""), *HeaderTable.STATIC_TABLE)
# Of an integer, seven bits each: enough for all that may be said.
_MOST_SHIFT: Final = 28


class SectionDecoder:
    """Decodes the sections of a connection: each of them, in their order."""

    def __init__(self) -> None:
        # The newest first.
        self._table: deque[Field] = deque()
        self._size = 0
        self._most = MOST_TABLE

    def decode(self, block: bytes) -> list[Field]:
        """Return the fields of a section. Raises Fault: no later section can be read then."""
        try:
            return self._decode(block)
        except (IndexError, HPACKDecodingError):
            raise Fault(ErrorCode.COMPRESSION_ERROR) from None

    def _decode(self, block: bytes) -> list[Field]:
        fields: list[Field] = []
        at, room = 0, MOST_SECTION
        while at < len(block):
            first = block[at]
            if first & 0x80:
                index, at = _integer(block, at, 0x7F)
                field = self._field(index)
            elif first & 0xE0 == 0x20:  # noqa: PLR2004 - section 6.3
                at = self._resize(block, at, fields)
                continue
            else:
                field, at = self._literal(block, at)
            room -= len(field[0]) + len(field[1]) + _ENTRY
            if room < 0:
                raise Fault(ErrorCode.COMPRESSION_ERROR)
            fields.append(field)
        return fields

    def _literal(self, block: bytes, at: int) -> tuple[Field, int]:
        """Return a field that is told, and where it ends (section 6.2)."""
        kept = block[at] & 0x40
        index, at = _integer(block, at, 0x3F if kept else 0x0F)
        if index:
            name = self._field(index)[0]
        else:
            name, at = _string(block, at)
        value, at = _string(block, at)
        field = (name, value)
        if kept:
            self._size += len(name) + len(value) + _ENTRY
            self._table.appendleft(field)
            self._shrink()
        return field, at

    def _field(self, index: int) -> Field:
        """Return a field of the tables (section 2.3.3)."""
        if not index:
            raise IndexError
        return _STATIC[index] if index < len(_STATIC) else self._table[index - len(_STATIC)]

    def _resize(self, block: bytes, at: int, fields: list[Field]) -> int:
        """Obey a change of the table's size, which is to come before all fields (section 4.2)."""
        size, at = _integer(block, at, 0x1F)
        if fields or size > MOST_TABLE:
            raise Fault(ErrorCode.COMPRESSION_ERROR)
        self._most = size
        self._shrink()
        return at

    def _shrink(self) -> None:
        while self._size > self._most:
            name, value = self._table.pop()
            self._size -= len(name) + len(value) + _ENTRY


def _integer(block: bytes, at: int, most: int) -> tuple[int, int]:
    """Return an integer whose prefix has the bits of `most`, and where it ends (section 5.1)."""
    number = block[at] & most
    at += 1
    if number < most:
        return number, at
    shift = 0
    while True:
        octet = block[at]
        at += 1
        number += (octet & 0x7F) << shift
        if octet < 0x80:  # noqa: PLR2004 - the last
            return number, at
        shift += 7
        if shift > _MOST_SHIFT:
            raise IndexError


def _string(block: bytes, at: int) -> tuple[bytes, int]:
    """Return a string, and where it ends (section 5.2)."""
    packed = block[at] & 0x80
    length, at = _integer(block, at, 0x7F)
    end = at + length
    if end > len(block):
        raise IndexError
    raw = block[at:end]
    return (decode_huffman(raw) if packed else raw), end
