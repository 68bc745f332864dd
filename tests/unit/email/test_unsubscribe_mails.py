"""Mails of the categories that may be unsubscribed from: the fields, the variable of templates, and every route."""

import email
import email.policy
from pathlib import Path
from typing import Any

import msgspec
import pytest

from channels.email import resend_message
from channels.email.carrier import EmailCarrier
from channels.email.mail import Mail
from channels.email.resend_settings import ResendSettings
from channels.email.ses_settings import SesSettings
from channels.email.settings import EmailSettings
from tests.support.clock import ManualClock
from tests.unit.email.test_unsubscribe_links import PUBLIC, SECRET, delivery, links
from tocsin.delivery import Delivery, Person, TemplateRef
from tocsin.errors import SettingsError
from tocsin.outcome import Rejected
from tocsin.templates.catalogue import Catalogue, load

STRICT = email.policy.default.clone(raise_on_defect=True)
CONTENT = {"subject": "News", "text": "News"}
URL = links().of(delivery())


@pytest.fixture(scope="module")
def shipped() -> Catalogue:
    return load(Path(__file__).parents[3] / "configs" / "templates", default_locale="en")


def carrier(catalogue: Catalogue | None = None, **changes: Any) -> EmailCarrier:
    given = {"unsubscribe_categories": ("newsletter", "offers"), "unsubscribe_secret": SECRET, **changes}
    return EmailCarrier(
        EmailSettings(**given),
        catalogue or Catalogue(default_locale="en"),
        ses_settings=SesSettings(region="eu-central-1", access_key_id="AKIAEXAMPLE", secret_access_key="x"),
        resend_settings=ResendSettings(api_key="re_1"),
        public_url=PUBLIC,
        clock=ManualClock(),
        on_unmapped=lambda _provider, _code: None,
    )


def written(**changes: Any) -> Delivery:
    return msgspec.structs.replace(delivery(), content=CONTENT, **changes)


def templated(catalogue: Catalogue, name: str, data: dict[str, Any], **changes: Any) -> Delivery:
    found = catalogue.current(name)
    assert found is not None
    return msgspec.structs.replace(
        delivery(), template=TemplateRef(name=name, version=found.version), data=data, **changes
    )


async def mail(given: Delivery, **changes: Any) -> Mail:
    made = carrier(**changes)
    found = await made.render(given)
    await made.aclose()
    assert isinstance(found, Mail)
    return found


async def test_a_mail_of_the_category_has_both_fields() -> None:
    """They are in the bytes that SMTP and SES send."""
    found = await mail(written())
    message = email.message_from_bytes(found.data, policy=STRICT)

    assert message["List-Unsubscribe"] == f"<{URL}>"
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert f"List-Unsubscribe: <{URL}>\r\n".encode() in found.data
    assert found.size == len(found.data)


async def test_a_mail_of_another_category_has_neither() -> None:
    found = await mail(written(category="orders"))

    assert b"nsubscribe" not in found.data


async def test_the_same_delivery_is_the_same_mail() -> None:
    assert await mail(written()) == await mail(written())


async def test_resend_is_given_both_fields() -> None:
    found = await mail(written(), routes=("resend",))
    other = await mail(written(category="orders"), routes=("resend",))
    fields = msgspec.json.decode(resend_message.body(found))["headers"]

    assert fields["List-Unsubscribe"] == f"<{URL}>"
    assert fields["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert b"nsubscribe" not in resend_message.body(other)


async def test_the_longest_address_and_category_have_one_too() -> None:
    """A field of a header has 998 characters at most."""
    address, category = f"{'a' * 64}@{'b' * 63}.{'c' * 63}.{'d' * 61}", "ä" * 32
    public_url = "https://notify.example.com/".ljust(200, "a")
    made = EmailCarrier(
        EmailSettings(unsubscribe_categories=(category,), unsubscribe_secret=SECRET),
        Catalogue(default_locale="en"),
        ses_settings=SesSettings(),
        resend_settings=ResendSettings(),
        public_url=public_url,
        clock=ManualClock(),
        on_unmapped=lambda _provider, _code: None,
    )
    found = await made.render(written(address=address, category=category, tenant="t" * 64))

    assert isinstance(found, Mail)
    assert max(map(len, found.data.split(b"\r\n"))) <= 998


@pytest.mark.parametrize(("locale", "words"), [("en", "Unsubscribe from"), ("de", "abbestellen")])
async def test_the_shipped_template_shows_the_link_in_its_footer(shipped: Catalogue, locale: str, words: str) -> None:
    given = templated(shipped, "welcome", {"name": "Ada"}, recipient=Person(locale=locale))
    message = email.message_from_bytes((await mail(given, catalogue=shipped)).data, policy=STRICT)

    for kind in ("plain", "html"):
        part = message.get_body((kind,))
        assert part is not None
        text = str(part.get_content())
        assert URL is not None
        assert URL in text
        assert words in text


async def test_it_shows_none_in_another_category(shipped: Catalogue) -> None:
    given = templated(shipped, "welcome", {"name": "Ada"}, category="orders")

    assert b"nsubscribe" not in (await mail(given, catalogue=shipped)).data


def test_a_template_that_asks_for_the_link_does_not_have_it_in_the_data(shipped: Catalogue) -> None:
    found = shipped.current("welcome")

    assert found is not None
    assert found.faults({"name": "Ada"}) == []


async def test_the_data_cannot_put_another_link_in_its_place() -> None:
    catalogue = Catalogue(default_locale="en")
    catalogue.add("t", {"en/email.subject.txt": "x", "en/email.text.txt": "{{ unsubscribe_url }}"}, current=True)
    given = templated(catalogue, "t", {"unsubscribe_url": "https://evil.example"})
    message = email.message_from_bytes((await mail(given, catalogue=catalogue)).data, policy=STRICT)

    assert message.get_content().strip() == URL


async def test_a_template_that_takes_the_link_for_granted_fails_in_another_category() -> None:
    catalogue = Catalogue(default_locale="en")
    catalogue.add("t", {"en/email.subject.txt": "x", "en/email.text.txt": "{{ unsubscribe_url }}"}, current=True)
    made = carrier(catalogue)
    found = await made.render(templated(catalogue, "t", {}, category="orders"))
    await made.aclose()

    assert isinstance(found, Rejected)
    assert found.reason == "template_error"


def test_what_is_missing_ends_the_start() -> None:
    with pytest.raises(SettingsError, match=r"email\.unsubscribe_secret_file"):
        carrier(unsubscribe_secret=None)
