"""Rendering a text: from content or a template, within the segments that are allowed."""

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from channels.sms.message import Sms
from channels.sms.render import Renderer
from channels.sms.terms import Terms
from tests.support.clock import ManualClock
from tests.support.delivering import make_delivery
from tocsin.delivery import Delivery, Person, TemplateRef
from tocsin.outcome import Rejected
from tocsin.templates.catalogue import Catalogue

NUMBER = "+12025550143"


def delivery(**changes: Any) -> Delivery:
    made = make_delivery(NUMBER, now=ManualClock().now(), expires_in=timedelta(hours=1))
    return msgspec.structs.replace(made, channel="sms", **changes)


def render(
    made: Delivery, *, catalogue: Catalogue | None = None, regions: frozenset[str] = frozenset(), **terms: Any
) -> Sms | Rejected:
    catalogue = catalogue or Catalogue(default_locale="en")
    return Renderer(catalogue=catalogue, terms=Terms(**{"max_segments": 4, **terms}), regions=regions).render(made)


def test_content_is_the_text() -> None:
    made = delivery(content={"text": " Your code is 123.\n"})
    found = render(made)

    assert isinstance(found, Sms)
    assert (found.to, found.text, found.cost, found.encoding) == (NUMBER, "Your code is 123.", {"segments": 1}, "gsm7")
    assert (found.delivery_id, found.notification_id) == (made.id, made.notification_id)
    assert found.expires_at == made.expires_at
    assert NUMBER not in repr(found)
    assert "123" not in repr(found)


def test_a_template_is_rendered_in_the_recipients_language() -> None:
    catalogue = Catalogue(default_locale="en")
    template = catalogue.add("code", {"en/sms.txt": "Code {{ code }}\r\n\n", "de/sms.txt": "Zahl {{ code }}\n"})
    ref = TemplateRef(name="code", version=template.version)
    found = render(
        delivery(content=None, template=ref, data={"code": "7"}, recipient=Person(locale="de")), catalogue=catalogue
    )
    other = render(delivery(content=None, template=ref, data={"code": "7"}), catalogue=catalogue)

    assert isinstance(found, Sms)
    assert isinstance(other, Sms)
    assert (found.text, other.text) == ("Zahl 7", "Code 7")


@pytest.mark.parametrize(
    ("changes", "limits", "reason", "scope"),
    [
        ({"address": "+1555"}, {}, "invalid_address", "address"),
        ({}, {"regions": frozenset({"DE"})}, "invalid_address", "address"),
        ({"content": {"text": "  \n"}}, {}, "no_content", "message"),
        ({"content": {"text": "a" * 613}}, {}, "too_many_segments", "message"),
        ({"content": {"text": "a" * 161}}, {"max_segments": 1}, "too_many_segments", "message"),
        ({"content": {"text": "a" * 1601}}, {"max_segments": 11}, "too_many_segments", "message"),
        ({"content": None, "template": TemplateRef(name="gone", version="0")}, {}, "template_missing", "message"),
    ],
)
def test_what_cannot_be_sent_is_rejected(
    changes: dict[str, Any], limits: dict[str, Any], reason: str, scope: str
) -> None:
    found = render(delivery(**changes), **limits)

    assert isinstance(found, Rejected)
    assert (found.reason, found.scope) == (reason, scope)
    assert NUMBER not in found.message


def test_a_template_that_fails_is_rejected() -> None:
    catalogue = Catalogue(default_locale="en")
    template = catalogue.add("code", {"en/sms.txt": "{{ code.value.deeper }}"})
    ref = TemplateRef(name="code", version=template.version)
    found = render(delivery(content=None, template=ref, data={"code": "7"}), catalogue=catalogue)

    assert isinstance(found, Rejected)
    assert found.reason == "template_error"


def test_as_many_segments_as_allowed_go() -> None:
    found = render(delivery(content={"text": "a" * 612}))

    assert isinstance(found, Sms)
    assert found.cost == {"segments": 4}
