"""The line of every key, whatever way it is written."""

from pathlib import Path

import pytest

from tocsin.errors import SettingsError
from tocsin.settings.toml import read

TEXT = '''# a comment
top = 1
[a]  # with [brackets]
x.y = 1
"quoted.key" = """
[not a table]
z = 1
"""
list = [
  "]",
  { inner = 1 },
]
[[a.items]]
n = 1
[a.items.sub]
m = 1
[[a.items]]
n = 2
'''


def test_every_key_has_its_line(tmp_path: Path) -> None:
    path = tmp_path / "t.toml"
    path.write_text(TEXT)
    lines = read(path).lines

    assert lines == {
        ("top",): 2,
        ("a",): 3,
        ("a", "x"): 4,
        ("a", "x", "y"): 4,
        ("a", "quoted.key"): 5,
        ("a", "list"): 9,
        ("a", "list", 0): 9,
        ("a", "list", 1): 9,
        ("a", "list", 1, "inner"): 9,
        ("a", "items"): 13,
        ("a", "items", 0): 13,
        ("a", "items", 0, "n"): 14,
        ("a", "items", 0, "sub"): 15,
        ("a", "items", 0, "sub", "m"): 16,
        ("a", "items", 1): 17,
        ("a", "items", 1, "n"): 18,
    }


def test_windows_line_ends_count_as_one(tmp_path: Path) -> None:
    path = tmp_path / "t.toml"
    path.write_bytes(b"a = 1\r\n[b]\r\nc = 1\r\n")

    assert read(path).lines == {("a",): 1, ("b",): 2, ("b", "c"): 3}


def test_a_key_without_a_line_has_that_of_its_table(tmp_path: Path) -> None:
    path = tmp_path / "t.toml"
    path.write_text("\n[a]\n")
    file = read(path)

    assert file.where(("a", "x")).endswith("line 2")
    assert file.where(("b",)) == f"file {path}"


@pytest.mark.parametrize(
    "text",
    [f"a = {'[' * 5000}{']' * 5000}", f"{'.'.join(['a'] * 5000)} = 1", f"a = {'1' * 5000}"],
    ids=["lists", "tables", "digits"],
)
def test_a_file_that_no_decoder_can_hold_is_told_like_any_other(tmp_path: Path, text: str) -> None:
    file = tmp_path / "tocsin.toml"
    file.write_text(text)

    with pytest.raises(
        SettingsError, match="cannot be read: it is nested too deeply, or has a number that is too long"
    ):
        read(file)
