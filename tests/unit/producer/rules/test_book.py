"""The rules in use: whatever becomes of the files, no rule is lost that could be kept, and no name is there twice."""

from collections.abc import Callable
from pathlib import Path

import pytest

from producer.rules import book as books
from producer.rules.book import RuleBook
from producer.rules.reloading import Reloading
from producer.rules.vocabulary import Vocabulary
from tests.support.clock import ManualClock
from tests.support.ruling import CONFIRMATION, WORDS, folder
from tocsin.errors import SettingsError
from tocsin.observe.metrics import Metrics

BROKEN = CONFIRMATION.replace("channels", "chanels")
Open = Callable[[], RuleBook]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return folder(tmp_path / "rules", a=CONFIRMATION, b=WORDS)


@pytest.fixture
def book(root: Path, vocabulary: Vocabulary) -> RuleBook:
    return books.opened(root, vocabulary, required=True)


def named(book: RuleBook) -> list[str]:
    return [rule.name for rule in book.rules]


def again(book: RuleBook) -> None:
    """Take the files as they are now."""
    files = book.files()
    assert files is not None
    book.read(files)


def other(text: str, name: str) -> str:
    """Return a file's rule under another name."""
    return text.replace('name = "confirmation"', f'name = "{name}"').replace('name = "words"', f'name = "{name}"')


def test_files_are_read_by_name_and_only_those_of_toml(root: Path, book: RuleBook) -> None:
    (root / ".hidden.toml").write_text("x")
    (root / "orders.toml.example").write_text("x")
    again(book)

    assert (named(book), book.detail) == (["confirmation", "words"], "")


def test_a_gateway_does_not_start_with_what_is_wrong(root: Path, vocabulary: Vocabulary) -> None:
    folder(root, a=BROKEN, b=WORDS.replace("type", "tipe"))

    with pytest.raises(SettingsError) as caught:
        books.opened(root, vocabulary, required=True)
    assert "chanels (file " in str(caught.value)
    assert "tipe (file " in str(caught.value)


def test_a_folder_need_not_be_there_unless_it_was_named(tmp_path: Path, vocabulary: Vocabulary) -> None:
    assert books.opened(tmp_path / "none", vocabulary, required=False).rules == []
    with pytest.raises(SettingsError, match="the folder of the rules cannot be read"):
        books.opened(tmp_path / "none", vocabulary, required=True)


def test_changed_added_and_removed_files_are_taken(root: Path, book: RuleBook) -> None:
    folder(root, a=other(CONFIRMATION, "changed"), c=other(WORDS, "added"))
    (root / "b.toml").unlink()
    again(book)

    assert named(book) == ["changed", "added"]


def test_a_file_that_breaks_keeps_its_rules_and_holds_no_other_up(root: Path, book: RuleBook) -> None:
    folder(root, a=BROKEN, b=other(WORDS, "changed"))
    again(book)
    kept = named(book)
    folder(root, a=BROKEN + "\n")
    again(book)
    still = named(book)
    folder(root, a=other(CONFIRMATION, "mended"))
    again(book)

    assert kept == still == ["confirmation", "changed"]
    assert (named(book), book.mistakes) == (["mended", "changed"], {})


def test_a_file_that_is_new_and_broken_has_no_rules(root: Path, book: RuleBook) -> None:
    folder(root, c=BROKEN)
    again(book)

    assert named(book) == ["confirmation", "words"]
    assert book.detail == "c.toml: cannot be used (see the log); the rules of before hold"


def test_a_name_that_is_taken_is_a_mistake_of_the_file_that_brings_it(root: Path, book: RuleBook) -> None:
    folder(root, b=other(WORDS, "confirmation"))
    again(book)
    [[mistake]] = book.mistakes.values()

    assert named(book) == ["confirmation", "words"]
    assert "rule confirmation, name" in str(mistake)
    assert f"is the name of another rule (file {root / 'a.toml'}, line 2)" in str(mistake)


def test_a_clash_is_over_once_the_other_file_gives_the_name_up(root: Path, book: RuleBook) -> None:
    folder(root, b=other(WORDS, "confirmation"))
    again(book)
    folder(root, a=other(CONFIRMATION, "renamed"))
    again(book)

    assert (named(book), book.mistakes) == (["renamed", "confirmation"], {})


def test_a_rule_can_move_from_one_file_to_another(root: Path, book: RuleBook) -> None:
    folder(root, a=WORDS, b=CONFIRMATION)
    again(book)

    assert (named(book), book.mistakes) == (["words", "confirmation"], {})


async def test_a_change_is_taken_once_two_looks_find_it_alike(root: Path, book: RuleBook) -> None:
    loop = Reloading(book, clock=ManualClock(), metrics=Metrics(version="test"))
    folder(root, a=other(CONFIRMATION, "half-written"))
    await loop.look()
    folder(root, a=other(CONFIRMATION, "written") + "\n")
    await loop.look()
    before = named(book)
    await loop.look()

    assert before == ["confirmation", "words"]
    assert named(book) == ["written", "words"]


async def test_a_folder_that_is_away_changes_nothing_and_is_told(root: Path, book: RuleBook) -> None:
    loop = Reloading(book, clock=ManualClock(), metrics=Metrics(version="test"))
    root.rename(root.with_name("away"))
    for _ in range(3):
        await loop.look()
    detail, kept = book.detail, named(book)
    root.with_name("away").rename(root)
    await loop.look()

    assert detail == "the folder of the rules cannot be read (No such file or directory); the rules of before hold"
    assert kept == ["confirmation", "words"]
    assert book.detail == ""


async def test_a_file_that_nobody_can_decode_stops_no_gateway(root: Path, book: RuleBook) -> None:
    loop = Reloading(book, clock=ManualClock(), metrics=Metrics(version="test"))
    folder(root, a=f"rule = {'[' * 5000}{']' * 5000}", b=f"{WORDS}\n[rule.data]\nx = {'[' * 250}{']' * 250}")
    await loop.look()
    await loop.look()

    assert named(book) == ["confirmation", "words"]
    assert [path.name for path in book.mistakes] == ["a.toml", "b.toml"]


@pytest.mark.parametrize("text", ["", WORDS[: len(WORDS) // 2]])
def test_a_file_that_is_written_while_it_is_read_is_left_for_the_next_look(
    root: Path, book: RuleBook, text: str
) -> None:
    files = book.files()
    assert files is not None
    (root / "a.toml").write_text(other(CONFIRMATION, "changed"))
    looked = book.files()
    assert looked is not None
    # What it says now is not what was looked at.
    (root / "b.toml").write_text(text)
    book.read({**looked, root / "b.toml": (0, 0, 0, 0, 0)})
    kept = named(book)
    (root / "b.toml").write_text(other(WORDS, "written"))
    again(book)

    assert (kept, book.mistakes) == (["changed", "words"], {})
    assert named(book) == ["changed", "written"]
