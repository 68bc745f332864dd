"""All templates, in all the versions that a retained delivery may still ask for.

On disk: `<root>/<name>/schema.json` (of `data`, optional) and `<root>/<name>/<locale>/<part>`. A part is a file name
that a channel knows (`email.html`); the catalogue knows no channel.
"""

import json
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import jinja2
import jsonschema
from jinja2 import meta

from tocsin.errors import TemplateError
from tocsin.templates import dialect
from tocsin.templates.budget import Limits
from tocsin.templates.locales import normalized
from tocsin.templates.sandbox import Sandbox
from tocsin.templates.template import Template, version_of
from tocsin.validation import Schema

SCHEMA = "schema.json"
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_PART = re.compile(r"([A-Za-z]{1,8}(?:[-_][A-Za-z0-9]{1,8})*)/([A-Za-z0-9][A-Za-z0-9._-]{0,63})")


class Catalogue:
    """Compiled templates by name and version. Changed only by `add`; rendering never changes it.

    `timer` returns seconds for the time limit. The default is the thread's own CPU time, so that a machine that
    stalls for a moment does not turn a good message into a dead letter.
    """

    def __init__(
        self,
        *,
        default_locale: str,
        limits: Limits | None = None,
        timer: Callable[[], float] = time.thread_time,
    ) -> None:
        self.default_locale = normalized(default_locale)
        self._limits = limits or Limits()
        self._timer = timer
        self._sandbox = Sandbox()
        self._versions: dict[tuple[str, str], Template] = {}
        self._current: dict[str, Template] = {}

    def names(self) -> Sequence[str]:
        """Return the names of the current templates, sorted."""
        return sorted(self._current)

    def current(self, name: str) -> Template | None:
        """Return the version that new notifications get, or None if there is no such template."""
        return self._current.get(name)

    def get(self, name: str, version: str) -> Template | None:
        """Return one version of a template, or None if this catalogue never had it."""
        return self._versions.get((name, version))

    def add(self, name: str, files: Mapping[str, str], *, current: bool = False) -> Template:
        """Compile a version from its files (path to text) and keep it; with `current`, new notifications get it.

        Raises TemplateError that names the file, and the line where there is one.
        """
        if not _NAME.fullmatch(name):
            raise TemplateError(f"{name!r} is no template name: use a-z, 0-9, dot, hyphen and underscore")
        version = version_of(files)
        template = self._versions.get((name, version)) or self._compiled(name, version, files)
        self._versions[name, version] = template
        if current:
            self._current[name] = template
        return template

    def _compiled(self, name: str, version: str, files: Mapping[str, str]) -> Template:
        parts: dict[tuple[str, str], jinja2.Template] = {}
        used: set[str] = set()
        guarded: set[str] = set()
        for path, source in sorted(files.items()):
            if path == SCHEMA:
                continue
            key = _part_key(name, path)
            with _naming(f"{name}/{path}"):
                tree = self._sandbox.parse(source, name=key[1], filename=path)
                used |= meta.find_undeclared_variables(tree) - set(self._sandbox.globals)
                guarded |= dialect.guarded_names(tree)
                dialect.hold(tree, f"{name}/{path}")
                code = self._sandbox.compile(tree, name=key[1], filename=path)
            parts[key] = jinja2.Template.from_code(self._sandbox, code, self._sandbox.globals)
        return Template(
            name=name,
            version=version,
            files=dict(files),
            parts=parts,
            required=frozenset(used - guarded),
            schema=_schema(name, files[SCHEMA]) if SCHEMA in files else None,
            default_locale=self.default_locale,
            limits=self._limits,
            timer=self._timer,
        )


@contextmanager
def _naming(place: str) -> Iterator[None]:
    """Turn what Jinja says of a template's source into a TemplateError with its place."""
    try:
        yield
    except jinja2.TemplateSyntaxError as error:
        raise TemplateError(f"{place}, line {error.lineno}: {error.message}") from error


def load(
    root: Path,
    *,
    default_locale: str,
    limits: Limits | None = None,
    timer: Callable[[], float] = time.thread_time,
) -> Catalogue:
    """Read and compile every template below `root`. Raises TemplateError naming the file, and the line if any."""
    catalogue = Catalogue(default_locale=default_locale, limits=limits, timer=timer)
    if not root.is_dir():
        raise TemplateError(f"{root} is not a folder")
    for folder in sorted(path for path in root.iterdir() if path.is_dir() and not _hidden(path)):
        template = catalogue.add(folder.name, _files(folder), current=True)
        if not any(locale == catalogue.default_locale for locale, _ in template.parts):
            raise TemplateError(f"{folder}: has no folder for the default locale {catalogue.default_locale}")
    return catalogue


def _files(folder: Path) -> dict[str, str]:
    files = {}
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder)
        if path.is_file() and not any(_hidden(Path(part)) for part in inside.parts):
            files[inside.as_posix()] = _text(path)
    return files


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode()
    except UnicodeDecodeError as error:
        raise TemplateError(f"{path}: is not UTF-8 text (byte {error.start})") from error
    except OSError as error:
        raise TemplateError(f"{path}: cannot be read ({error.strerror})") from error


def _hidden(path: Path) -> bool:
    """Return whether a name is an editor's or a system's (`.DS_Store`, `email.html~`)."""
    return path.name.startswith((".", "__")) or path.name.endswith("~")


def _part_key(name: str, path: str) -> tuple[str, str]:
    found = _PART.fullmatch(path)
    if found is None:
        raise TemplateError(f"{name}/{path}: a template holds {SCHEMA} and <locale>/<part>, nothing else")
    return normalized(found[1]), found[2]


def _schema(name: str, text: str) -> Schema:
    try:
        return Schema(json.loads(text))
    except json.JSONDecodeError as error:
        raise TemplateError(f"{name}/{SCHEMA}, line {error.lineno}: {error.msg}") from error
    except (jsonschema.SchemaError, TypeError, ValueError) as error:
        detail = error.message if isinstance(error, jsonschema.SchemaError) else str(error)
        raise TemplateError(f"{name}/{SCHEMA}: is no JSON Schema: {detail}") from error
