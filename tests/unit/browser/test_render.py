"""From deliveries to messages: templates, content, and the bound on what one record can hold."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from channels.browser.encryption import MAX_PLAINTEXT
from channels.browser.inbox_message import Letter
from channels.browser.message import WebPush
from channels.browser.render import BODY, TITLE, Renderer
from channels.browser.schema import fragments
from channels.browser.settings import BrowserSettings, endpoint_policy
from tests.unit.browser.support import AUTH, CONTENT, ENDPOINT, NOW, delivery
from tocsin.delivery import Delivery, Lane, Person, TemplateRef
from tocsin.outcome import Rejected
from tocsin.templates.catalogue import Catalogue, load
from tocsin.validation import Schema

DATA: dict[str, dict[str, Any]] = {
    "welcome": {"name": "Ada & Söhne"},
    "order-confirmation": {"order": "1001", "items": [{"name": "keyboard", "quantity": 1}]},
}


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return load(Path(__file__).parents[3] / "configs" / "templates", default_locale="en")


@pytest.fixture
def renderer(catalogue: Catalogue) -> Renderer:
    return Renderer(catalogue=catalogue, policy=endpoint_policy(BrowserSettings()))


def templated(catalogue: Catalogue, name: str, **changes: Any) -> Delivery:
    template = catalogue.current(name)
    assert template is not None
    reference = TemplateRef(name=name, version=template.version)
    return delivery(**{"content": None, "template": reference, "data": DATA[name], **changes})


def payload(message: WebPush | Letter | Rejected) -> dict[str, Any]:
    assert isinstance(message, WebPush), message
    found: dict[str, Any] = json.loads(message.payload)
    return found


def test_content_goes_as_it_is_with_the_notifications_id(renderer: Renderer) -> None:
    content = {**CONTENT, "url": "/parcels/7", "icon": "/icon.png", "data": {"parcel": [7, None]}}

    assert payload(renderer.render(delivery(content=content))) == {"id": delivery().notification_id, **content}


@pytest.mark.parametrize(("locale", "word"), [("de-AT", "Willkommen"), ("en", "Welcome"), ("fr", "Welcome")])
def test_title_and_body_are_in_one_language(renderer: Renderer, catalogue: Catalogue, locale: str, word: str) -> None:
    found = payload(renderer.render(templated(catalogue, "welcome", recipient=Person(locale=locale))))

    assert found["title"] == f"{word}, Ada & Söhne"
    assert "Konto" in found["body"] if word == "Willkommen" else "account" in found["body"]


@pytest.mark.parametrize("name", sorted(DATA))
def test_the_shipped_templates_can_be_shown(renderer: Renderer, catalogue: Catalogue, name: str) -> None:
    template = catalogue.current(name)
    assert template is not None
    found = payload(renderer.render(templated(catalogue, name)))

    assert {locale for locale, part in template.parts if part == TITLE} == {"de", "en"}
    assert {locale for locale, part in template.parts if part == BODY} == {"de", "en"}
    assert found["title"]
    assert found["body"]
    assert "\n" not in found["title"]


def test_the_same_delivery_is_the_same_message(renderer: Renderer) -> None:
    assert renderer.render(delivery()) == renderer.render(delivery())


@pytest.mark.parametrize(("lane", "urgency"), [(Lane.HIGH, "high"), (Lane.NORMAL, "normal"), (Lane.BULK, "low")])
def test_the_lane_is_the_urgency(renderer: Renderer, lane: Lane, urgency: str) -> None:
    found = renderer.render(delivery(lane=lane, expires_at=NOW + timedelta(hours=2)))

    assert isinstance(found, WebPush)
    assert found.urgency == urgency
    assert found.expires_at == NOW + timedelta(hours=2)


def test_the_topic_names_the_notification_without_telling_it(renderer: Renderer) -> None:
    one, other = renderer.render(delivery()), renderer.render(delivery(notification_id="ntf_2"))

    assert isinstance(one, WebPush)
    assert isinstance(other, WebPush)
    assert one.topic != other.topic
    assert len(one.topic) == 32
    assert one.topic.replace("-", "").replace("_", "").isalnum()
    assert delivery().notification_id not in one.topic


@pytest.mark.parametrize(("over", "fits"), [(0, True), (1, False)])
def test_the_bound_is_that_of_the_whole_json(renderer: Renderer, over: int, fits: bool) -> None:
    room = MAX_PLAINTEXT - len(
        json.dumps({"id": delivery().notification_id, "title": "t", "body": ""}).replace(" ", "")
    )
    found = renderer.render(delivery(content={"title": "t", "body": "b" * (room + over)}))

    assert isinstance(found, WebPush) == fits
    if isinstance(found, Rejected):
        assert (found.scope, found.reason) == ("message", "message_too_large")


@pytest.mark.parametrize(
    ("changes", "scope", "reason"),
    [
        ({"address": "ada@example.com"}, "address", "invalid_address"),
        ({"address": f"https://10.0.0.1/ {delivery().address.split(' ', 1)[1]}"}, "address", "endpoint_refused"),
        ({"content": {"title": "", "body": "b"}}, "message", "no_content"),
        ({"content": None}, "message", "no_content"),
        ({"content": None, "template": TemplateRef(name="welcome", version="0")}, "message", "template_missing"),
    ],
)
def test_what_cannot_be_sent_says_why_without_saying_to_whom(
    renderer: Renderer, changes: dict[str, Any], scope: str, reason: str
) -> None:
    found = renderer.render(delivery(**changes))

    assert isinstance(found, Rejected)
    assert (found.scope, found.reason) == (scope, reason)
    assert ENDPOINT not in found.message
    assert AUTH not in found.message


def test_a_template_that_breaks_is_no_message(renderer: Renderer, catalogue: Catalogue) -> None:
    found = renderer.render(templated(catalogue, "welcome", data={}))

    assert isinstance(found, Rejected)
    assert found.reason == "template_error"


@pytest.mark.parametrize(
    ("content", "pointers"),
    [
        (CONTENT, []),
        ({**CONTENT, "url": "/x", "icon": "/i", "data": {"a": 1}}, []),
        ({"body": "b"}, ["/title"]),
        ({"title": "t"}, ["/body"]),
        ({**CONTENT, "titel": "t"}, ["/titel"]),
        ({**CONTENT, "data": "x"}, ["/data"]),
        ({**CONTENT, "title": "x" * 257}, ["/title"]),
    ],
)
def test_the_schema_says_what_content_may_be(content: dict[str, Any], pointers: list[str]) -> None:
    assert [fault.pointer for fault in Schema(fragments()["content"]).faults(content)] == pointers
