"""Loading templates: what is compiled, how versions are named, and how a broken template is reported."""

from pathlib import Path

import pytest

from tocsin.errors import TemplateError
from tocsin.templates.catalogue import Catalogue, load
from tocsin.templates.template import version_of
from tocsin.validation import Fault

SHIPPED = Path(__file__).parents[3] / "configs" / "templates"
SCHEMA = '{"type": "object", "required": ["order"], "properties": {"order": {"type": "string"}}}'


def write(root: Path, files: dict[str, str]) -> Path:
    for path, text in files.items():
        place = root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text, encoding="utf-8")
    return root


def test_the_shipped_templates_load() -> None:
    catalogue = load(SHIPPED, default_locale="en")

    assert catalogue.names() == ["order-confirmation", "welcome"]


def test_a_version_is_a_hash_of_names_and_bytes() -> None:
    files = {"en/a.txt": "x", "en/b.txt": "y"}

    version = version_of(files)

    assert len(version) == 16
    assert version == version_of(dict(reversed(files.items())))
    assert version != version_of({"en/a.txt": "x", "en/b.txt": "z"})
    assert version != version_of({"en/a.tx": "tx", "en/b.txt": "y"})


def test_an_older_version_is_kept_beside_the_current_one(tmp_path: Path) -> None:
    catalogue = load(write(tmp_path, {"hello/en/sms.txt": "new"}), default_locale="en")
    old = catalogue.add("hello", {"en/sms.txt": "old"})

    new = catalogue.current("hello")

    assert new is not None
    assert catalogue.get("hello", old.version) is old
    assert catalogue.get("hello", new.version) is new
    assert old.render("sms.txt", "en", {}) == "old"
    assert catalogue.add("hello", new.files) is new


def test_what_is_unknown_is_none() -> None:
    catalogue = Catalogue(default_locale="en")

    assert catalogue.current("nothing") is None
    assert catalogue.get("nothing", "0" * 16) is None


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"t/en/a.txt": "one\n{% if %}"}, ["t/en/a.txt", "line 2"]),
        ({"t/en/a.txt": "one\n{{ x|nofilter }}"}, ["t/en/a.txt", "line 2", "nofilter"]),
        ({"t/en/a.txt": "{% macro m() %}{% endmacro %}"}, ["t/en/a.txt", "line 1", "macro"]),
        ({"t/en/a.txt": "{% include 'b' %}"}, ["include"]),
        ({"t/en/a.txt": "\n{% for x in y recursive %}{% endfor %}"}, ["line 2", "recursive"]),
        ({"t/en/a.txt": "", "t/schema.json": "{\n oops"}, ["t/schema.json", "line 2"]),
        ({"t/en/a.txt": "", "t/schema.json": '{"type": 3}'}, ["t/schema.json", "JSON Schema"]),
        ({"t/en/a.txt": "", "t/schema.json": "[]"}, ["t/schema.json"]),
        ({"t/en/deep/a.txt": ""}, ["t/en/deep/a.txt", "nothing else"]),
        ({"t/de/a.txt": ""}, ["default locale en"]),
        ({"T!/en/a.txt": ""}, ["T!", "template name"]),
    ],
)
def test_a_broken_template_is_named(tmp_path: Path, files: dict[str, str], words: list[str]) -> None:
    write(tmp_path, files)

    with pytest.raises(TemplateError) as caught:
        load(tmp_path, default_locale="en")

    assert [word for word in words if word not in str(caught.value)] == []


def test_a_file_that_is_not_utf8_is_named(tmp_path: Path) -> None:
    (tmp_path / "t" / "en").mkdir(parents=True)
    (tmp_path / "t" / "en" / "a.txt").write_bytes(b"\xff")

    with pytest.raises(TemplateError, match=r"a\.txt: is not UTF-8"):
        load(tmp_path, default_locale="en")


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(TemplateError, match="is not a folder"):
        load(tmp_path / "nowhere", default_locale="en")


def test_files_of_editors_are_no_parts(tmp_path: Path) -> None:
    catalogue = load(write(tmp_path, {"t/en/a.txt": "x", "t/en/a.txt~": "{%", "t/.DS_Store": "?"}), default_locale="en")

    template = catalogue.current("t")

    assert template is not None
    assert dict(template.files) == {"en/a.txt": "x"}


def test_missing_data_is_reported_once_and_by_name() -> None:
    source = "{{ order }} {{ name }} {{ nick|default('') }} {% if note is defined %}{{ note }}{% endif %}"
    template = Catalogue(default_locale="en").add("t", {"schema.json": SCHEMA, "en/a.txt": source})

    assert template.faults({}) == [
        Fault(pointer="/data/order", detail="is required"),
        Fault(pointer="/data/name", detail="is required by template t"),
    ]
    assert template.faults({"order": 3, "name": "Ada"}) == [Fault(pointer="/data/order", detail="must be a string")]
    assert template.faults({"order": "A1", "name": "Ada"}) == []
