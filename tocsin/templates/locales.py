"""Which locales a recipient's wish falls back to: `de-AT`, then `de`, then the default."""

from functools import lru_cache


def normalized(locale: str) -> str:
    """Return a locale (BCP 47 or POSIX style) in lower case with hyphens: the form that all comparisons use."""
    return locale.strip().lower().replace("_", "-")


# There are few locales and many recipients.
@lru_cache(maxsize=512)
def candidates(wish: str | None, default: str) -> tuple[str, ...]:
    """Return the locales to try in order, without repeats (lookup of RFC 4647, section 3.4)."""
    found: dict[str, None] = {}
    for start in (wish or "", default):
        subtags = normalized(start).split("-")
        while subtags and subtags != [""]:
            found["-".join(subtags)] = None
            subtags.pop()
    return tuple(found)
