"""The packaged file and the code agree, and every key of the file is explained: the core's, services' and channels'."""

import re
from pathlib import Path
from typing import Any

import msgspec

from tocsin.runtime.discover import setting_sections
from tocsin.settings.load import load
from tocsin.settings.toml import read

FILE = Path(__file__).parents[3] / "configs" / "tocsin.toml"


def written() -> dict[str, dict[str, Any]]:
    """Return what the file says, by section."""
    tree = read(FILE).tree
    top = {name: value for name, value in tree.items() if not isinstance(value, dict)}
    return {"": top, **{name: value for name, value in tree.items() if isinstance(value, dict)}}


def named() -> dict[str, list[str]]:
    """Return the keys of the file by section, those without a default (`# key = example`) too, in order."""
    found: dict[str, list[str]] = {"": []}
    section = ""
    for line in FILE.read_text().splitlines():
        if head := re.fullmatch(r"\[(\w+)\]", line):
            section = head[1]
            found[section] = []
        elif key := re.match(r"(?:# )?(\w+) = ", line):
            found[section].append(key[1])
    return found


def test_file_has_every_key() -> None:
    keys = {name: [field.name for field in msgspec.structs.fields(kind)] for name, kind in setting_sections().items()}

    assert named() == keys


def test_file_says_what_the_code_says() -> None:
    every = setting_sections()
    settings = load(every, path=None, environ={}, overrides=written())

    assert {name: settings.section(name, kind) for name, kind in every.items()} == {
        name: kind() for name, kind in every.items()
    }


def test_every_key_has_a_comment() -> None:
    lines = FILE.read_text().splitlines()
    keys = [number for number, line in enumerate(lines) if re.match(r"\w+ = ", line)]
    bare = [lines[number] for number in keys if not lines[number - 1].startswith("#") and "#" not in lines[number]]

    assert bare == []


def test_a_password_is_not_shown() -> None:
    settings = load(setting_sections(), path=None, environ={}, overrides={"email": {"password": "hunter2"}})

    assert "hunter2" not in str(settings.flat())
