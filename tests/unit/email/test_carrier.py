"""Wiring: what the settings make, and how wrong ones are told."""

from typing import Any

import msgspec
import pytest

from channels.email.carrier import EmailCarrier
from channels.email.settings import EmailSettings
from tocsin.errors import SettingsError
from tocsin.templates.catalogue import Catalogue


def carrier(**changes: Any) -> EmailCarrier:
    settings = EmailSettings(**changes)
    return EmailCarrier(settings, Catalogue(default_locale="en"), monotonic=lambda: 0.0, on_unmapped=lambda _code: None)


def test_the_defaults_make_a_carrier() -> None:
    (smtp,) = carrier().providers

    assert smtp.name == "smtp"
    assert (smtp.capabilities.max_in_flight, smtp.capabilities.idempotency) == (32, False)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"sender": "Tocsin"}, r"email\.sender must be an email address"),
        ({"sender": "a\r\nBcc: x <a@b.example>"}, r"email\.sender: From holds a control character"),
        ({"return_path": "x"}, r"email\.return_path must be an email address"),
        ({"message_id_domain": "not a domain"}, r"email\.message_id_domain must be a domain"),
    ],
)
def test_a_wrong_setting_is_named(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        carrier(**changes)


def test_an_unknown_setting_is_refused() -> None:
    with pytest.raises(msgspec.ValidationError, match="unknown field `hosst`"):
        msgspec.convert({"hosst": "x"}, EmailSettings)
