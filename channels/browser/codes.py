"""What a push service's answer means, by the table in `codes.toml`. Answers are foreign text: little of it is kept."""

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any

_MOST_TEXT = 512
_MOST_READ = 2048
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff\u200e\u200f\u202a-\u202e]+")
# An endpoint, a token, a key, an address: what is long without a space, or has a place in it, is not for the audit.
_SECRET = re.compile(r"\S*(?://|@)\S*|[A-Za-z0-9_.:~%+/=-]{33,}")
_CLASS = re.compile(r"[2-5]xx")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the table. Empty conditions always hold."""

    statuses: frozenset[int]
    classes: frozenset[int]
    text: tuple[str, ...]
    outcome: str
    reason: str
    suppress: str | None

    def fits(self, status: int, text: str) -> bool:
        """Return whether every condition of the row holds. `text` is in lower case."""
        return (status in self.statuses or status // 100 in self.classes) and (
            not self.text or any(words in text for words in self.text)
        )


class Table:
    """The table at work. Made once from `load`."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self._rows = tuple(rows)

    def row(self, status: int, body: bytes) -> Row | None:
        """Return the row for an answer, None for one that the table does not know."""
        text = body[:_MOST_READ].decode(errors="replace").lower()
        return next((row for row in self._rows if row.fits(status, text)), None)


def load() -> Table:
    """Read the table that is shipped with this package. Raises KeyError or ValueError if a row is wrong: a bug."""
    text = resources.files(__package__).joinpath("codes.toml").read_text(encoding="utf-8")
    return Table([_row(raw) for raw in tomllib.loads(text)["row"]])


def redacted(body: bytes) -> str:
    """Return at most 512 characters of an answer on one line, with `…` for what may be an endpoint, key or token."""
    text = _CONTROL.sub(" ", body[:_MOST_READ].decode(errors="replace"))
    return _SECRET.sub("…", text)[:_MOST_TEXT].strip()


def _row(raw: Mapping[str, Any]) -> Row:
    given = raw["status"]
    classes = [each for each in given if isinstance(each, str)]
    if not all(map(_CLASS.fullmatch, classes)):
        raise ValueError(f"{classes} is no class of statuses")
    return Row(
        statuses=frozenset(each for each in given if isinstance(each, int)),
        classes=frozenset(int(each[0]) for each in classes),
        text=tuple(raw.get("text", ())),
        outcome=raw["outcome"],
        reason=raw.get("reason", ""),
        suppress=raw.get("suppress"),
    )
