"""What is wrong with the settings, collected, so that a person mends all of it in one go."""

from collections.abc import Sequence
from dataclasses import dataclass

from tocsin.errors import SettingsError


@dataclass(frozen=True, slots=True, kw_only=True)
class Mistake:
    """One wrong setting: which, where it was written, and what to write instead. It never repeats a value."""

    key: str
    source: str
    detail: str

    def __str__(self) -> str:
        return f"{self.key} ({self.source}): {self.detail}"


def error(mistakes: Sequence[Mistake]) -> SettingsError:
    """Return one error that tells all the mistakes, a line each."""
    if len(mistakes) == 1:
        return SettingsError(str(mistakes[0]))
    lines = [f"{len(mistakes)} settings are wrong:", *(f"  {mistake}" for mistake in mistakes)]
    return SettingsError("\n".join(lines))
