"""Wiring: what the settings make, and how wrong ones are told."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from channels.email.carrier import EmailCarrier
from channels.email.mail import Mail
from channels.email.resend_settings import ResendSettings
from channels.email.ses_settings import SesSettings
from channels.email.settings import EmailSettings
from tests.support.clock import ManualClock
from tests.unit.email.test_dkim import ED25519, tags
from tests.unit.email.test_dkim_settings import pem
from tocsin.delivery import Delivery, Lane, Person
from tocsin.errors import SettingsError
from tocsin.runtime.discover import setting_sections
from tocsin.settings.load import load
from tocsin.templates.catalogue import Catalogue

SES = {"region": "eu-central-1", "access_key_id": "AKIAEXAMPLE", "secret_access_key": "x"}


def carrier(**changes: Any) -> EmailCarrier:
    ses = SesSettings(**changes.pop("ses", {}))
    resend = ResendSettings(**changes.pop("resend", {}))
    return EmailCarrier(
        EmailSettings(**changes),
        Catalogue(default_locale="en"),
        ses_settings=ses,
        resend_settings=resend,
        clock=ManualClock(),
        on_unmapped=lambda _provider, _code: None,
    )


def test_the_defaults_make_a_carrier() -> None:
    (smtp,) = carrier().providers

    assert smtp.name == "smtp"
    assert (smtp.capabilities.max_in_flight, smtp.capabilities.idempotency) == (32, False)


def delivery() -> Delivery:
    now = ManualClock().now()
    return Delivery(
        id="dlv_1",
        notification_id="ntf_1",
        tenant="default",
        channel="email",
        address="ada@example.com",
        recipient=Person(),
        lane=Lane.NORMAL,
        category="transactional",
        semantics="at_least_once",
        accepted_at=now,
        expires_at=now + timedelta(days=1),
        content={"subject": "Hello", "html": "<p>Hello</p>"},
    )


async def test_the_routes_are_the_candidates_in_their_order() -> None:
    made = carrier(routes=("resend", "smtp", "ses"), ses=SES, resend={"api_key": "re_1"})
    mail = await made.render(delivery())
    await made.aclose()

    assert [provider.name for provider in made.providers] == ["resend", "smtp", "ses"]
    assert list(made.candidates(delivery())) == ["resend", "smtp", "ses"]
    assert isinstance(mail, Mail)
    assert mail.parts is not None
    assert (mail.parts.subject, mail.parts.html, mail.parts.text) == ("Hello", "<p>Hello</p>", None)


async def test_without_resend_a_mail_has_its_bytes_only() -> None:
    mail = await carrier().render(delivery())

    assert isinstance(mail, Mail)
    assert mail.parts is None


@pytest.mark.parametrize(("routes", "signed"), [(("smtp",), True), (("smtp", "ses"), False)])
async def test_what_ses_writes_anew_is_signed_only_without_it(
    tmp_path: Path, routes: tuple[str, ...], signed: bool
) -> None:
    (tmp_path / "dkim.pem").write_bytes(pem(ED25519))
    made = carrier(routes=routes, ses=SES, dkim_key_file=str(tmp_path / "dkim.pem"), dkim_selector="a")
    mail = await made.render(delivery())
    await made.aclose()

    assert isinstance(mail, Mail)
    assert ({"Date", "Message-ID"} <= set(tags(mail.data)["h"].split(":"))) is signed
    assert mail.size == len(mail.data)


@pytest.mark.parametrize(
    ("routes", "words"),
    [
        (["postmark"], r"there is no provider 'postmark'; providers: smtp, ses, resend"),
        ([], r"routes must name one provider at least, and none twice"),
        (["ses", "ses"], r"routes must name one provider at least, and none twice"),
    ],
)
def test_routes_that_are_none_are_told_as_the_settings_are_read(routes: list[str], words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        load(setting_sections(), path=None, environ={}, overrides={"email": {"routes": routes}})


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"routes": ("ses",)}, r"ses\.region must be"),
        ({"routes": ("ses",), "ses": {"region": "eu-central-1"}}, r"ses\.access_key_id must be"),
        ({"routes": ("smtp", "resend")}, r"resend\.api_key_file \(or resend\.api_key\) is required"),
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
