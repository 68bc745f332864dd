"""The form of a rule file: everything that is wrong with it is told at once, each with its line and the mend."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from producer.rules import form
from producer.rules.form import BrokenFile
from producer.rules.vocabulary import Vocabulary
from tests.support.ruling import CONFIRMATION, EXAMPLE, WORDS

DOCS = Path(__file__).parents[4] / "docs" / "rules.md"


def mistakes(tmp_path: Path, vocabulary: Vocabulary, text: str) -> Sequence[str]:
    """Return what is wrong with a file, without its path."""
    path = tmp_path / "rules.toml"
    path.write_text(text, encoding="utf-8")
    try:
        form.read(path, vocabulary)
    except BrokenFile as broken:
        return [str(mistake).replace(str(path), "F") for mistake in broken.mistakes]
    return []


def test_a_right_file_gives_its_rules_with_their_lines(tmp_path: Path, vocabulary: Vocabulary) -> None:
    path = tmp_path / "rules.toml"
    path.write_text(CONFIRMATION + WORDS, encoding="utf-8")

    assert [(rule.name, rule.line) for rule in form.read(path, vocabulary)] == [("confirmation", 2), ("words", 17)]


def test_what_the_docs_and_the_example_show_is_right(tmp_path: Path, vocabulary: Vocabulary) -> None:
    shown = DOCS.read_text(encoding="utf-8").split("```toml\n")[1].split("```")[0]

    assert mistakes(tmp_path, vocabulary, shown) == []
    assert mistakes(tmp_path, vocabulary, EXAMPLE.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ("channels", "chanels", "chanels (file F, line 6): is not known here; did you mean channels?"),
        ('"order-confirmation"', '"welcom"', "template (file F, line 5): there is no template of this name; did you"),
        ('["email"]', '["emial"]', "channels[0] (file F, line 6): must be one of browser, email, push, sms"),
        ('["email"]', '["email"]\nlane = "fast"', "lane (file F, line 7): must be one of high, normal, bulk"),
        ('["email"]', '["email"]\ncategory = ""', "category (file F, line 7): must not be empty"),
        ('["email"]', '["email"]\nexpires_in = "1d"', "expires_in (file F, line 7): must be an integer"),
        ('["email"]', '["email"]\nexpires_in = 0', "expires_in (file F, line 7): must be at least 1"),
        ('"data.customer.id"', '"data..id"', "recipient.id.pick (file F, line 8): is no JMESPath expression"),
        ("email = {", "emali = {", "recipient.emali (file F, line 9): is not known here; did you mean email?"),
        ("email = {", "emali = {", "recipient.email (file F, line 7): is required for the channel email"),
        ("order = {", "ordr = {", "data.order (file F, line 11): is required"),
        ("items = {", "items = 1 #", "data.items (file F, line 13): must be a list"),
        ('"OrderPlaced"', "[]", "type (file F, line 4): must be text, or a list of texts"),
        ('type = "OrderPlaced"', "", "type (file F, line 2): is required"),
        ('["email"]', '["email"]\nwhen = "a ="', "when (file F, line 7): is no JMESPath expression"),
        ('["email"]', '["email"]\ncontent.email = {subject = "x", text = "y"}', "goes in place of `template`"),
        ('template = "order-confirmation"', "", "template (file F, line 2): is required, unless `content`"),
    ],
)
def test_a_mistake_is_told_with_its_line_and_its_mend(
    tmp_path: Path, vocabulary: Vocabulary, before: str, after: str, told: str
) -> None:
    found = mistakes(tmp_path, vocabulary, CONFIRMATION.replace(before, after, 1))

    assert any(told in each for each in found), found
    assert all(each.startswith("rule confirmation") for each in found)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[[rule]\n", "rules.toml (file F, line 1, column 7): is not TOML"),
        ("[[rules]]\n", "rules (file F, line 1): is not known here: a rule file has [[rule]] and nothing else"),
        ("rule = 1\n", "rule (file F, line 1): must be written [[rule]]"),
        (CONFIRMATION + CONFIRMATION, "name (file F, line 18): is the name of another rule in this file"),
        (CONFIRMATION.replace('"confirmation"', '"No Name"'), "rule[0], name (file F, line 3): must be 1 to 64 of a-z"),
        (CONFIRMATION.replace('name = "confirmation"', ""), "rule[0] (file F, line 2): has no name"),
    ],
)
def test_a_file_that_is_wrong_as_a_whole_is_told(tmp_path: Path, vocabulary: Vocabulary, text: str, told: str) -> None:
    found = mistakes(tmp_path, vocabulary, text)

    assert any(told in each for each in found), found


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path, vocabulary: Vocabulary) -> None:
    with pytest.raises(BrokenFile, match="cannot be read"):
        form.read(tmp_path / "none.toml", vocabulary)


def test_mistakes_are_told_all_together_in_the_order_of_the_file(tmp_path: Path, vocabulary: Vocabulary) -> None:
    wrong = CONFIRMATION.replace("template", "tmplate").replace('"data.order_id"', '"("').replace("Order", "Ordér")
    found = mistakes(tmp_path, vocabulary, wrong)

    assert [each.split("line ")[1].split(")")[0] for each in found] == sorted(
        (each.split("line ")[1].split(")")[0] for each in found), key=int
    )
    assert len(found) > 2
