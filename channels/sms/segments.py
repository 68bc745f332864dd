"""How many segments a text takes: what it costs, and what a handset puts together again. Pure.

GSM 7-bit: 160 septets alone, 153 in each part of a longer one; a character of the extension table takes two septets
and is not split. Else UCS-2: 70 units alone, 67 in each part; a surrogate pair is not split.
Source: 3GPP TS 23.038, section 6.2.1, and TS 23.040, section 9.2.3.24.1.
"""

from dataclasses import dataclass
from typing import Literal

Encoding = Literal["gsm7", "ucs2"]

_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENDED = frozenset("^{}\\[~]|€\f")
_GSM7 = _BASIC | _EXTENDED
_BEYOND_BMP = 0xFFFF


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """What a text takes: its encoding, its units (septets or 16-bit units), and the segments they need."""

    encoding: Encoding
    units: int
    segments: int


def measure(text: str) -> Size:
    """Return what a text takes. An empty one takes no segment."""
    characters = set(text)
    if characters <= _GSM7:
        return _size("gsm7", text, characters & _EXTENDED, alone=160, part=153)
    return _size("ucs2", text, {each for each in characters if ord(each) > _BEYOND_BMP}, alone=70, part=67)


def _size(encoding: Encoding, text: str, wide: set[str], *, alone: int, part: int) -> Size:
    """Return the size of a text; `wide` are those of its characters that are two units wide."""
    if not wide:  # as most are: then nothing has to be counted or kept together
        units = len(text)
        return Size(encoding=encoding, units=units, segments=min(units, 1) if units <= alone else -(-units // part))
    widths = [2 if character in wide else 1 for character in text]
    units = sum(widths)
    return Size(encoding=encoding, units=units, segments=1 if units <= alone else _parts(widths, part))


def _parts(widths: list[int], room: int) -> int:
    """Return how many parts it takes if what is two units wide stays together."""
    parts, free = 0, 0
    for width in widths:
        if width > free:
            parts, free = parts + 1, room
        free -= width
    return parts
