"""Text in the parameters of SMTP commands: xtext (RFC 3461, section 4). Pure."""

import re

_HEX = re.compile(r"\+([0-9A-F]{2})")


def encode(text: str) -> str:
    """Return ASCII text as xtext. Raises UnicodeEncodeError for other text."""
    return "".join(chr(each) if _plain(each) else f"+{each:02X}" for each in text.encode("ascii"))


def decode(text: str) -> str:
    """Return what an xtext says. What is none stays as it is."""
    return _HEX.sub(lambda found: chr(int(found[1], 16)), text)


def _plain(octet: int) -> bool:
    return 0x21 <= octet <= 0x7E and octet not in b"+="  # noqa: PLR2004 - printable ASCII
