"""The nearest right word for a mistyped one."""

import difflib
from collections.abc import Iterable

_LIKENESS = 0.6


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Return the one of `known` that `word` most likely was meant to be, None where nothing is like it."""
    by_letters = {each.lower(): each for each in known}
    found = difflib.get_close_matches(word.lower(), by_letters, n=1, cutoff=_LIKENESS)
    return by_letters[found[0]] if found else None


def mend(word: str, known: Iterable[str]) -> str:
    """Return what to tell a person who wrote `word`: the nearest right one, or else all there are."""
    words = sorted(known)
    if (near := nearest(word, words)) is not None:
        return f"did you mean {near}?"
    return f"known: {', '.join(words)}" if words else "nothing is known here"
