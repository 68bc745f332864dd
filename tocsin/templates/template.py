"""One version of one template: its files, its parts by locale, what data it needs, and how to render it."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jinja2

from tocsin.templates.budget import Budget, BudgetExceeded, Limits
from tocsin.templates.filters import BUDGET
from tocsin.templates.locales import candidates
from tocsin.validation import Fault, Schema, pointer


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderFault:
    """Why a part could not be rendered, for the template's author. It repeats no data."""

    template: str
    part: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """A compiled template. `files` is its source by path (`de/email.html`), enough to compile this version again.

    `parts` holds the compiled parts by (locale, file name). `required` names the variables that the data must have.
    """

    name: str
    version: str
    files: Mapping[str, str]
    parts: Mapping[tuple[str, str], jinja2.Template]
    required: frozenset[str]
    schema: Schema | None
    default_locale: str
    limits: Limits
    timer: Callable[[], float]

    def faults(self, data: Mapping[str, Any]) -> Sequence[Fault]:
        """Return what is wrong with the data of a notification, with pointers under `/data`. Empty if nothing is."""
        by_schema = self.schema.faults(data) if self.schema else ()
        found = [Fault(pointer="/data" + fault.pointer, detail=fault.detail) for fault in by_schema]
        named = {fault.pointer for fault in found}
        for variable in sorted(self.required.difference(data)):
            place = pointer(["data", variable])
            if place not in named:
                found.append(Fault(pointer=place, detail=f"is required by template {self.name}"))
        return found

    def locale_for(self, part: str, wish: str | None) -> str | None:
        """Return the locale in which a recipient who wishes `wish` gets this part, or None if there is none.

        The parts of one message should share a locale: ask once, and render the others in the answer.
        """
        if wish is not None and (wish, part) in self.parts:
            return wish
        return next((found for found in candidates(wish, self.default_locale) if (found, part) in self.parts), None)

    def has(self, part: str, locale: str) -> bool:
        """Return whether the part exists in exactly this locale (one that `locale_for` returned)."""
        return (locale, part) in self.parts

    def render(self, part: str, locale: str | None, data: Mapping[str, Any]) -> str | RenderFault:
        """Return the part's text in the best locale for `locale`, or why there is none. Raises nothing.

        The result depends on the data alone (up to the time limit), and is at most `limits.output` characters.
        """
        found = self.locale_for(part, locale)
        if found is None:
            return RenderFault(template=self.name, part=part, detail=f"the template has no {part}")
        compiled = self.parts[found, part]
        try:
            return self._run(compiled, data)
        except Exception as error:  # noqa: BLE001 - a template is foreign code: whatever it raises is its fault
            line = _line(compiled, error)
            detail = f"{found}/{part}{f', line {line}' if line else ''}: {_worded(error)}"
            return RenderFault(template=self.name, part=part, detail=detail)

    def _run(self, compiled: jinja2.Template, data: Mapping[str, Any]) -> str:
        budget = Budget(self.limits, self.timer)
        context = compiled.new_context({**compiled.globals, **data, BUDGET: budget}, shared=True)
        chunks: list[str] = []
        room = self.limits.output
        for chunk in compiled.root_render_func(context):
            room -= len(chunk)
            if room < 0:
                raise BudgetExceeded(f"prints more than {self.limits.output} characters")
            chunks.append(chunk)
        return "".join(chunks)


def version_of(files: Mapping[str, str]) -> str:
    """Return the version of a template: 16 hex digits of a SHA-256 over its files' names and bytes, by name."""
    digest = hashlib.sha256()
    for path in sorted(files):
        for field in (path, files[path]):
            raw = field.encode()
            digest.update(len(raw).to_bytes(8, "big") + raw)
    return digest.hexdigest()[:16]


def _line(compiled: jinja2.Template, error: BaseException) -> int:
    """Return the template's line at which the error was raised (deepest frame of compiled code); 0 if outside."""
    line = 0
    traceback = error.__traceback__
    while traceback is not None:
        if traceback.tb_frame.f_globals is compiled.root_render_func.__globals__:
            line = compiled.get_corresponding_lineno(traceback.tb_lineno)
        traceback = traceback.tb_next
    return line


def _worded(error: Exception) -> str:
    """Return the error in words. Only texts that hold no data are repeated."""
    if isinstance(error, BudgetExceeded):
        return str(error)
    if isinstance(error, jinja2.exceptions.SecurityError):
        return "uses something that templates may not use"
    if isinstance(error, jinja2.UndefinedError):
        return "uses a value that is missing from the data"
    return f"fails with {type(error).__name__}"
