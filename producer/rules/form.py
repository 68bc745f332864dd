"""The form of a rule file: from TOML to rules, or everything that is wrong with it, with its line.

```toml
[[rule]]
name = "order-confirmation"
type = "OrderPlaced"
template = "order-confirmation"
channels = ["email"]
[rule.recipient]
email = { pick = "data.customer.email" }
[rule.data]
order = { pick = "data.order_id" }
```
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path as FilePath
from typing import Any

from producer.rules import expression, members
from producer.rules.expression import Expression, ExpressionError
from producer.rules.pattern import Pattern
from producer.rules.rule import Filter, Rule
from producer.rules.vocabulary import MEMBERS, Vocabulary
from tocsin.errors import SettingsError
from tocsin.settings import shape, toml
from tocsin.settings.mistakes import Mistake
from tocsin.settings.shape import Path
from tocsin.settings.suggest import mend
from tocsin.validation import Fault

RULE = "rule"
_FILTERS = ("type", "source", "subject", "when")
_KEYS = ("name", *_FILTERS, *MEMBERS)
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_NAME_WORDS = "must be 1 to 64 of a-z, 0-9, dot, hyphen and underscore, such as order-confirmation"


class BrokenFile(Exception):
    """A rule file that cannot be used, with everything that is wrong with it."""

    def __init__(self, mistakes: Sequence[Mistake]) -> None:
        super().__init__("; ".join(map(str, mistakes)))
        self.mistakes = mistakes


def is_name(text: str) -> bool:
    """Return whether a rule may have this name."""
    return _NAME.fullmatch(text) is not None


def read(path: FilePath, vocabulary: Vocabulary) -> Sequence[Rule]:
    """Return the rules of a file, in its order. Raises BrokenFile."""
    try:
        file = toml.read(path)
    except SettingsError as error:
        raise BrokenFile([_unread(path, str(error))]) from None
    reader = _Reader(file, vocabulary)
    try:
        rules = reader.rules()
    except RecursionError:
        # TOML's reader goes deeper than the reader of its rules.
        raise BrokenFile([Mistake(key=path.name, source=f"file {path}", detail="is nested too deeply")]) from None
    if reader.mistakes:
        # In the order of the file, for whoever goes through it.
        raise BrokenFile([mistake for _, mistake in sorted(reader.mistakes, key=lambda each: each[0])])
    return rules


class _Reader:
    """Reads one file once."""

    def __init__(self, file: toml.File, vocabulary: Vocabulary) -> None:
        self._file = file
        self._vocabulary = vocabulary
        self.mistakes: list[tuple[int, Mistake]] = []
        self._names: set[str] = set()

    def rules(self) -> list[Rule]:
        tree = self._file.tree
        for name in tree:
            if name != RULE:
                self._wrong((name,), f"is not known here: a rule file has [[{RULE}]] and nothing else")
        tables = tree.get(RULE, [])
        if not isinstance(tables, list) or not all(isinstance(each, Mapping) for each in tables):
            self._wrong((RULE,), f"must be written [[{RULE}]], once for each rule")
            return []
        return [self._rule(table, (RULE, index)) for index, table in enumerate(tables)]

    def _rule(self, table: Mapping[str, Any], path: Path) -> Rule:
        for key in table:
            if key not in _KEYS:
                self._wrong((*path, key), f"is not known here; {mend(key, _KEYS)}")
        name = self._name(table.get("name"), path)
        found = {key: members.read(table[key], (*path, key), self._wrong) for key in MEMBERS if key in table}
        for fault in self._vocabulary.faults(found):
            self._wrong((*path, *_path(fault)), fault.detail)
        return Rule(
            name=name,
            filter=self._filter(table, path),
            members=found,
            file=str(self._file.path),
            line=self._file.lines.get(path, 0),
        )

    def _name(self, value: Any, path: Path) -> str:
        if value is None:
            self._wrong(path, "has no name")
        elif not isinstance(value, str) or not is_name(value):
            self._wrong((*path, "name"), _NAME_WORDS)
        elif value in self._names:
            self._wrong((*path, "name"), "is the name of another rule in this file")
        else:
            self._names.add(value)
            return value
        return ""

    def _filter(self, table: Mapping[str, Any], path: Path) -> Filter:
        if "type" not in table:
            self._wrong((*path, "type"), 'is required: the types of event that the rule is for, or "*" for all')
        patterns = {key: self._patterns(table[key], (*path, key)) for key in _FILTERS[:-1] if key in table}
        return Filter(
            types=patterns.get("type", ()),
            sources=patterns.get("source", ()),
            subjects=patterns.get("subject", ()),
            when=self._when(table["when"], (*path, "when")) if "when" in table else None,
        )

    def _patterns(self, value: Any, path: Path) -> Sequence[Pattern]:
        listed = value if isinstance(value, list) else [value]
        if not listed or not all(isinstance(each, str) and each for each in listed):
            self._wrong(path, "must be text, or a list of texts, in which * stands for any characters")
            return ()
        return [Pattern(each) for each in listed]

    def _when(self, value: Any, path: Path) -> Expression | None:
        if not isinstance(value, str):
            self._wrong(path, "must be text, a JMESPath expression")
            return None
        try:
            return expression.parse(value)
        except ExpressionError as error:
            self._wrong(path, str(error))
            return None

    def _wrong(self, path: Path, detail: str) -> None:
        mistake = Mistake(key=self._key(path), source=self._file.where(path), detail=detail)
        self.mistakes.append((self._line(path), mistake))

    def _line(self, path: Path) -> int:
        lines = (self._file.lines.get(path[:length]) for length in range(len(path), 0, -1))
        return next((line for line in lines if line is not None), 0)

    def _key(self, path: Path) -> str:
        """Return the place with the rule's name in place of its number, where it has one."""
        if path[:1] != (RULE,) or len(path) == 1:
            return shape.dotted(path)
        name = self._file.tree[RULE][path[1]].get("name")
        named = f"rule {name}" if isinstance(name, str) and is_name(name) else shape.dotted(path[:2])
        return f"{named}, {shape.dotted(path[2:])}" if len(path) > 2 else named  # noqa: PLR2004 - RULE, index, key


def _path(fault: Fault) -> Path:
    parts = fault.pointer.split("/")[1:]
    unescaped = (part.replace("~1", "/").replace("~0", "~") for part in parts)
    return tuple(int(part) if part.isdecimal() else part for part in unescaped)


def _unread(path: FilePath, text: str) -> Mistake:
    """Return as a mistake what `toml.read` says of a file: `file <path>, line 1, column 2: <what>`."""
    place, _, what = text.removeprefix(f"file {path}").partition(": ")
    return Mistake(key=path.name, source=f"file {path}{place}", detail=what)
