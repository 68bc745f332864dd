"""What a text column can keep."""


def storable(text: str) -> str:
    """Return the text without the one character that PostgreSQL cannot keep, U+0000, which is then U+FFFD."""
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}")
