"""The text part of a mail that was given only as HTML: readable, not pretty."""

import re
from html.parser import HTMLParser

_SKIPPED = frozenset({"head", "script", "style", "title", "template"})
_BREAKS = frozenset({"address", "article", "blockquote", "br", "div", "footer", "h4", "h5", "h6", "header", "li"}) | {
    *("main", "ol", "pre", "section", "tr", "ul", "dd", "dt", "figure", "hr", "form"),
}
_PARAGRAPHS = frozenset({"p", "h1", "h2", "h3", "table"})
_SPACES = re.compile(r"[ \t\r\n\f]+")


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.pieces: list[str] = []
        self._skipping = 0
        self._links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._skipping += tag in _SKIPPED
        self._space(tag)
        given = dict(attrs)
        if tag == "a":
            self._links.append(given.get("href") or "")
        elif tag == "li":
            self.pieces.append("- ")
        elif tag == "img" and not self._skipping:
            self.pieces.append(given.get("alt") or "")

    def handle_endtag(self, tag: str) -> None:
        if tag in _SKIPPED and self._skipping:
            self._skipping -= 1
        if tag == "a" and self._links:
            target = self._links.pop()
            if target.startswith(("https:", "http:", "mailto:")):
                self.pieces.append(f" ({target})")
        elif tag in ("td", "th"):
            self.pieces.append(" ")
        self._space(tag)

    def handle_data(self, data: str) -> None:
        if not self._skipping:
            self.pieces.append(_SPACES.sub(" ", data))

    def _space(self, tag: str) -> None:
        if tag in _PARAGRAPHS:
            self.pieces.append("\n\n")
        elif tag in _BREAKS:
            self.pieces.append("\n")


def from_html(html: str) -> str:
    """Return the text of an HTML document: blocks on lines of their own, links with their targets. Raises nothing."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    lines = [_SPACES.sub(" ", line).strip() for line in "".join(reader.pieces).split("\n")]
    return re.sub("\n{3,}", "\n\n", "\n".join(lines)).strip("\n") + "\n"
