"""From deliveries to pushes, through the shipped templates and ready-made content; and which service takes them."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from channels.push.carrier import PushCarrier
from channels.push.message import Push
from channels.push.render import Renderer
from channels.push.settings import PushSettings
from tests.support.clock import ManualClock
from tests.support.scripted import ScriptedProvider
from tests.unit.push.fcm_peer import NOW
from tocsin.delivery import Delivery, Lane, Person, TemplateRef
from tocsin.outcome import Rejected
from tocsin.templates.catalogue import Catalogue, load

ID = "ntf_01m7z77eghj90ssyrw6dqrsw9x"
CONTENT = {"title": "Hello", "body": "It works."}
BARE = Delivery(
    id="dlv_1",
    notification_id=ID,
    tenant="default",
    channel="push",
    address="fcm:a:b",
    recipient=Person(id="u1", locale="de-AT"),
    lane=Lane.NORMAL,
    category="orders",
    semantics="at_least_once",
    accepted_at=NOW,
    expires_at=NOW + timedelta(days=1),
    content=CONTENT,
)


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return load(Path(__file__).parents[3] / "configs" / "templates", default_locale="en")


def render(catalogue: Catalogue, **changes: Any) -> Push | Rejected:
    renderer = Renderer(
        catalogue=catalogue, providers=frozenset({"fcm"}), urgent_lanes=frozenset({Lane.HIGH, Lane.NORMAL})
    )
    return renderer.render(msgspec.structs.replace(BARE, **changes))


def templated(catalogue: Catalogue, name: str) -> dict[str, Any]:
    template = catalogue.current(name)
    assert template is not None
    return {"content": None, "template": TemplateRef(name=name, version=template.version)}


def test_content_becomes_a_push_to_the_device_of_the_address(catalogue: Catalogue) -> None:
    assert render(catalogue, content={**CONTENT, "data": {"order": "1001"}}) == Push(
        provider="fcm",
        token="a:b",
        title="Hello",
        body="It works.",
        data={"order": "1001", "tocsin_notification_id": ID},
        collapse_id=ID,
        priority="high",
        notification_id=ID,
        accepted_at=NOW,
        expires_at=NOW + timedelta(days=1),
    )


@pytest.mark.parametrize(
    ("name", "data", "title", "body"),
    [
        ("welcome", {"name": "Ada"}, "Willkommen, Ada", "Ihr Konto ist bereit, Sie müssen nichts weiter tun."),
        (
            "order-confirmation",
            {"order": "1001", "items": [{"name": "keyboard", "quantity": 1}]},
            "Ihre Bestellung 1001 ist bestätigt",
            "Wir haben sie erhalten und melden uns wieder, sobald sie unterwegs ist.",
        ),
    ],
)
def test_a_template_becomes_a_push_in_the_locale_of_the_recipient(
    catalogue: Catalogue, name: str, data: dict[str, Any], title: str, body: str
) -> None:
    found = render(catalogue, **templated(catalogue, name), data=data)

    assert isinstance(found, Push)
    assert (found.title, found.body) == (title, body)
    assert found.data == {"tocsin_notification_id": ID}


@pytest.mark.parametrize(("lane", "priority"), [("high", "high"), ("normal", "high"), ("bulk", "normal")])
def test_the_lane_says_whether_a_device_is_woken(catalogue: Catalogue, lane: str, priority: str) -> None:
    found = render(catalogue, lane=Lane(lane))

    assert isinstance(found, Push)
    assert found.priority == priority


@pytest.mark.parametrize(
    ("changes", "reason", "scope"),
    [
        ({"address": "apns:ab12"}, "no_provider", "address"),
        ({"address": "nonsense"}, "no_provider", "address"),
        ({"content": None}, "no_content", "message"),
        ({"content": {"title": "secret \ud800", "body": "x"}}, "unsendable_content", "message"),
        ({"content": {"title": "x", "body": "secret" * 700}}, "too_large", "message"),
        ({"template": TemplateRef(name="gone", version="0" * 16)}, "template_missing", "message"),
    ],
)
def test_what_cannot_become_a_push_is_rejected_without_being_repeated(
    catalogue: Catalogue, changes: dict[str, Any], reason: str, scope: str
) -> None:
    found = render(catalogue, **changes)

    assert isinstance(found, Rejected)
    assert (found.reason, found.scope) == (reason, scope)
    assert "secret" not in found.message


@pytest.mark.parametrize(("spare", "fits"), [(0, True), (1, False)])
def test_a_push_may_have_4096_bytes_of_json(catalogue: Catalogue, spare: int, fits: bool) -> None:
    empty = msgspec.json.encode({"title": "", "body": "ä", "data": {"tocsin_notification_id": ID}})
    found = render(catalogue, content={"title": "x" * (4096 - len(empty) + spare), "body": "ä"})

    assert isinstance(found, Push) is fits


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"en/sms.txt": "x"}, "template t has no push.title.txt"),
        (
            {"en/push.title.txt": "x", "de/push.title.txt": "y", "en/push.body.txt": "z"},
            "template t has no de/push.body.txt",
        ),
        (
            {"en/push.title.txt": "{{ name }}", "en/push.body.txt": "x"},
            "template t: en/push.title.txt, line 1: uses a value that is missing from the data",
        ),
    ],
)
def test_a_template_that_says_no_push_is_named(files: dict[str, str], message: str) -> None:
    catalogue = Catalogue(default_locale="en")
    catalogue.add("t", files, current=True)

    assert render(catalogue, **templated(catalogue, "t")) == Rejected(
        reason="template_error", scope="message", message=message
    )


async def test_the_address_says_which_service_takes_a_delivery() -> None:
    fcm, apns = ScriptedProvider(ManualClock()), ScriptedProvider(ManualClock())
    fcm.name, apns.name = "fcm", "apns"
    carrier = PushCarrier(PushSettings(), Catalogue(default_locale="en"), [fcm, apns])

    assert list(carrier.candidates(BARE)) == ["fcm"]
    assert list(carrier.candidates(msgspec.structs.replace(BARE, address="apns:ab12"))) == ["apns"]
    assert isinstance(await carrier.render(msgspec.structs.replace(BARE, address="apns:ab12")), Push)
    await carrier.aclose()
