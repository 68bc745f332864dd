"""The settings of the SMTP provider: what cannot be meant is refused before anything is sent."""

import time
from pathlib import Path
from typing import Any

import pytest

from channels.email.settings import EmailSettings
from channels.email.smtp import SmtpProvider
from tocsin.errors import SettingsError


def made(**changes: Any) -> SmtpProvider:
    arguments: dict[str, Any] = {"tls": "none", "helo_name": "client.example.com", "connections": 1}
    settings = EmailSettings(**(arguments | changes))
    return SmtpProvider(settings, monotonic=time.monotonic, on_unmapped=lambda _: None)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"tls": "none", "username": "a", "password": "b"}, "needs TLS"),
        ({"tls": "starttls", "username": "a"}, "password_file"),
        ({"tls": "starttls", "password": "b"}, "username is not"),
        ({"tls": "starttls", "username": "a", "password": "b", "password_file": "c"}, "keep one"),
        ({"tls": "starttls", "username": "a", "password_file": "/nowhere/at/all"}, "cannot be read"),
        ({"tls": "starttls", "ca_file": "/nowhere/at/all"}, "No such file"),
        ({"tls": "none", "ca_file": "x"}, "ca_file"),
        ({"helo_name": "a b"}, "helo_name"),
        ({"connections": 0}, "at least 1"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        made(**changes)


def test_a_password_file_may_end_its_line(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("s3cret\n", encoding="utf-8")

    assert made(tls="starttls", username="a", password_file=str(tmp_path / "password")).name == "smtp"
