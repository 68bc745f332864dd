"""The settings of links to unsubscribe: what is missing is named at the start, and no secret is repeated."""

from pathlib import Path
from typing import Any

import pytest

from channels.email import unsubscribe_settings
from channels.email.settings import EmailSettings
from tests.unit.email.test_unsubscribe_links import ADA, BEFORE, SECRET, links
from tocsin.errors import SettingsError
from tocsin.runtime.discover import setting_sections
from tocsin.settings.load import load

PUBLIC = "https://notify.example.com"
GOOD: dict[str, Any] = {"unsubscribe_categories": ("newsletter",), "unsubscribe_secret": SECRET}


def test_without_any_of_it_there_are_no_links() -> None:
    assert unsubscribe_settings.links(EmailSettings(), public_url="") is None


@pytest.mark.parametrize(
    "public_url", ["https://a.example", "https://a.example/b/", "http://127.0.0.1:8080", "http://localhost:8080"]
)
def test_with_all_of_it_there_are(public_url: str) -> None:
    found = unsubscribe_settings.links(EmailSettings(**GOOD), public_url=public_url)

    assert found is not None
    assert found.read(links().token(ADA)) == ADA


@pytest.mark.parametrize(
    ("changes", "public_url", "words"),
    [
        ({"unsubscribe_secret": None}, PUBLIC, r"set email\.unsubscribe_secret_file \(or email\.unsubscribe_secret\)"),
        ({}, "", r"email\.unsubscribe_categories is set: set http\.public_url"),
        ({}, "http://notify.example.com", r"http\.public_url that begins with https://"),
        ({"unsubscribe_secret": "short"}, PUBLIC, r"email\.unsubscribe_secret must have 32 characters"),
        ({"unsubscribe_categories": ("ä" * 33,)}, PUBLIC, r"email\.unsubscribe_categories must have 64 bytes"),
        ({"unsubscribe_secret_file": "/x"}, PUBLIC, r"email\.unsubscribe_secret: is given both"),
        ({"unsubscribe_retired_secret_files": ("/none",)}, PUBLIC, r"unsubscribe_retired_secret_file: /none cannot"),
    ],
)
def test_what_is_missing_or_wrong_is_named(changes: dict[str, Any], public_url: str, words: str) -> None:
    with pytest.raises(SettingsError, match=words) as raised:
        unsubscribe_settings.links(EmailSettings(**{**GOOD, **changes}), public_url=public_url)

    assert SECRET not in str(raised.value)
    assert "short" not in str(raised.value)


def test_links_go_on_working_after_the_last_category_is_gone() -> None:
    found = unsubscribe_settings.links(EmailSettings(unsubscribe_secret=SECRET), public_url="")

    assert found is not None
    assert found.read(links().token(ADA)) == ADA


def test_secrets_come_from_files_too(tmp_path: Path) -> None:
    (tmp_path / "now").write_text(SECRET + "\n")
    (tmp_path / "before").write_text(BEFORE)
    settings = EmailSettings(
        unsubscribe_secret_file=str(tmp_path / "now"), unsubscribe_retired_secret_files=(str(tmp_path / "before"),)
    )
    found = unsubscribe_settings.links(settings, public_url=PUBLIC)

    assert found is not None
    assert found.token(ADA) == links(SECRET).token(ADA)
    assert found.read(links(BEFORE).token(ADA)) == ADA


def test_what_was_sealed_before_the_secret_was_replaced_is_read(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(BEFORE)
    settings = EmailSettings(unsubscribe_secret_file=str(tmp_path / "secret"))
    before = unsubscribe_settings.links(settings, public_url=PUBLIC)
    (tmp_path / "secret").write_text(SECRET)
    found = unsubscribe_settings.links(settings, public_url=PUBLIC, before=before)

    assert found is not None
    assert found.token(ADA) == links(SECRET).token(ADA)
    assert found.read(links(BEFORE).token(ADA)) == ADA


@pytest.mark.parametrize(
    "url",
    ["example.com", "https://e.example/?a", "https://e.example/#a", "https://e.example/>", "https://e/" + "a" * 200],
)
def test_a_public_url_that_is_none_is_told(url: str) -> None:
    with pytest.raises(SettingsError, match="public_url"):
        load(setting_sections(), path=None, environ={}, overrides={"http": {"public_url": url}})


def test_the_secret_is_not_shown() -> None:
    settings = load(setting_sections(), path=None, environ={}, overrides={"email": {"unsubscribe_secret": SECRET}})

    assert SECRET not in str(settings.flat())
