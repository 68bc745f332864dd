"""The rules in use: those of the files, as they were when each of them could last be used.

A file is taken as a whole. One that has changed to what cannot be used leaves its rules as they were, and the other
files are taken all the same.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from producer.rules import folder, form
from producer.rules.folder import Files
from producer.rules.form import BrokenFile
from producer.rules.rule import Rule
from producer.rules.vocabulary import Vocabulary
from tocsin.errors import SettingsError
from tocsin.settings.mistakes import Mistake
from tocsin.settings.secret_files import Stamp


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A file as it was when it was read: the rules of it that are in use, and what is wrong with it now."""

    stamp: Stamp
    rules: Sequence[Rule] = ()
    mistakes: Sequence[Mistake] = ()


class RuleBook:
    """The rules of one folder. `read` takes the files as they are, and `taken` is how that was."""

    def __init__(self, root: Path, vocabulary: Vocabulary, *, required: bool) -> None:
        self._root = root
        self._required = required
        self._vocabulary = vocabulary
        self._entries: Mapping[Path, Entry] = {}
        self._away = ""
        self.rules: Sequence[Rule] = ()
        self.taken: Files = {}

    @property
    def mistakes(self) -> Mapping[Path, Sequence[Mistake]]:
        """What is wrong with the files, by file. Their rules are as they were before that."""
        return {path: entry.mistakes for path, entry in self._entries.items() if entry.mistakes}

    @property
    def detail(self) -> str:
        """Which files are not in use as they are, in words; empty if all are."""
        if self._away:
            return self._away
        names = ", ".join(path.name for path in self.mistakes)
        return f"{names}: cannot be used (see the log); the rules of before hold" if names else ""

    def files(self) -> Files | None:
        """Return the files of the folder, None (and so in `detail`) where it cannot be looked into."""
        try:
            found = folder.files(self._root, required=self._required)
        except OSError as error:
            self._away = f"the folder of the rules cannot be read ({error.strerror}); the rules of before hold"
            return None
        self._away = ""
        return found

    def read(self, files: Files) -> None:
        """Take the files as they are now."""
        self._entries = _unique({path: self._entry(path, stamp) for path, stamp in files.items()}, self._entries)
        self.rules = [rule for entry in self._entries.values() for rule in entry.rules]
        self.taken = files

    def _entry(self, path: Path, stamp: Stamp) -> Entry:
        before = self._entries.get(path)
        # One that was wrong is read again: what was wrong may have been another file's name for a rule.
        if before is not None and before.stamp == stamp and not before.mistakes:
            return before
        try:
            found = Entry(stamp=stamp, rules=form.read(path, self._vocabulary))
        except BrokenFile as broken:
            found = Entry(stamp=stamp, rules=before.rules if before else (), mistakes=broken.mistakes)
        # One that was written while it was read may be half of what it will be: an empty file has no mistake.
        return found if before is None or folder.unchanged(path, stamp) else before


def opened(root: Path, vocabulary: Vocabulary, *, required: bool) -> RuleBook:
    """Return the rules of a folder. Raises SettingsError that tells everything that is wrong with them."""
    book = RuleBook(root, vocabulary, required=required)
    files = book.files()
    if files is None:
        raise SettingsError(f"rules.root: {book.detail.partition(';')[0]}")
    book.read(files)
    if book.mistakes:
        raise SettingsError(worded(mistake for listed in book.mistakes.values() for mistake in listed))
    return book


def worded(mistakes: Iterable[Mistake]) -> str:
    """Return mistakes as one text, a line each."""
    told = [str(mistake) for mistake in mistakes]
    return (
        told[0]
        if len(told) == 1
        else "\n".join((f"{len(told)} things are wrong with the rules:", *(f"  {each}" for each in told)))
    )


def _unique(entries: Mapping[Path, Entry], before: Mapping[Path, Entry]) -> Mapping[Path, Entry]:
    """Return the entries so that no two rules have one name: a file that brings a taken name is one that is wrong."""
    found: dict[Path, Entry] = {}
    names: dict[str, Rule] = {}
    # Files that are as they were keep the names that they have.
    for path in sorted(entries, key=lambda path: (entries[path] is not before.get(path), path)):
        entry = entries[path]
        if clashes := [rule for rule in entry.rules if rule.name in names]:
            old = before[path].rules if path in before else ()
            entry = Entry(
                stamp=entry.stamp,
                rules=[rule for rule in old if rule.name not in names],
                mistakes=[*entry.mistakes, *(_clash(rule, names[rule.name]) for rule in clashes)],
            )
        found[path] = entry
        names.update({rule.name: rule for rule in entry.rules})
    return {path: found[path] for path in sorted(found)}


def _clash(rule: Rule, other: Rule) -> Mistake:
    return Mistake(
        key=f"rule {rule.name}, name",
        source=f"file {rule.file}, line {rule.line}",
        detail=f"is the name of another rule (file {other.file}, line {other.line})",
    )
