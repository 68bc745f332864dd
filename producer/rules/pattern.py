"""A pattern for an attribute of an event: text in which `*` stands for any characters, none included. Pure."""


class Pattern:
    """Matches in time that grows with the text and the pattern, however many stars there are."""

    __slots__ = ("_first", "_last", "_middle", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self._first, *self._middle = text.split("*")
        self._last = self._middle.pop() if self._middle else None

    def matches(self, text: str) -> bool:
        """Return whether the whole text is as the pattern says."""
        if self._last is None:
            return text == self._first
        if not text.startswith(self._first) or not text.endswith(self._last):
            return False
        end = len(text) - len(self._last)
        place = len(self._first)
        for piece in self._middle:
            # The leftmost place leaves the most for the pieces to come.
            if (found := text.find(piece, place, end)) < 0:
                return False
            place = found + len(piece)
        return place <= end
