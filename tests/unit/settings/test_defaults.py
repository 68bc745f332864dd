"""The packaged file and the code agree, and every key of the file is explained.

Sections of services and channels lie in the same file; their owners' tests look at those.
"""

import re
from pathlib import Path
from typing import Any

import msgspec

from tocsin.settings import sections
from tocsin.settings.load import load
from tocsin.settings.toml import read

FILE = Path(__file__).parents[3] / "configs" / "tocsin.toml"


def written() -> dict[str, dict[str, Any]]:
    """Return what the file says of the core's sections."""
    tree = read(FILE).tree
    top = {name: value for name, value in tree.items() if not isinstance(value, dict)}
    return {"": top, **{name: tree[name] for name in sections.core() if name}}


def test_file_has_every_core_key() -> None:
    keys = {name: [field.name for field in msgspec.structs.fields(kind)] for name, kind in sections.core().items()}

    assert {name: list(values) for name, values in written().items()} == keys


def test_file_says_what_the_code_says() -> None:
    core = sections.core()
    settings = load(core, path=None, environ={}, overrides=written())

    assert {name: settings.section(name, kind) for name, kind in core.items()} == {
        n: kind() for n, kind in core.items()
    }


def test_every_key_has_a_comment() -> None:
    lines = FILE.read_text().splitlines()
    keys = [number for number, line in enumerate(lines) if re.match(r"\w+ = ", line)]
    bare = [lines[number] for number in keys if not lines[number - 1].startswith("#") and "#" not in lines[number]]

    assert bare == []
