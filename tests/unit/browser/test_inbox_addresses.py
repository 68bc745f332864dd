"""Who has an inbox, and what is put into it."""

from datetime import timedelta
from typing import Any

import pytest

from channels.browser import inbox_message
from channels.browser.carrier import BrowserCarrier
from channels.browser.channel import addresses, channel
from channels.browser.endpoint import EndpointPolicy
from channels.browser.inbox_message import Letter, Owner, Shown
from channels.browser.settings import BrowserSettings
from tests.support.clock import ManualClock
from tests.unit.browser.support import CONTENT, DOCUMENT, SUBSCRIPTION, delivery
from tocsin.delivery import Delivery
from tocsin.outcome import Rejected
from tocsin.runtime.discover import setting_sections
from tocsin.settings.load import load
from tocsin.settings.values import Settings
from tocsin.templates.catalogue import Catalogue
from tocsin.validation import Fault

POLICY = EndpointPolicy(hosts=("fcm.googleapis.com",), exceptions=frozenset())
VAPID = {"vapid_key": "yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw", "subject": "mailto:push@example.com"}


def settings(**sections: dict[str, Any]) -> Settings:
    return load(setting_sections(), path=None, environ={}, overrides=sections)


def to_inbox(**changes: Any) -> Delivery:
    return delivery(address="inbox:cust 42", **changes)


def carrier(**providers: Any) -> BrowserCarrier:
    return BrowserCarrier(
        BrowserSettings(),
        providers.get("webpush"),
        Catalogue(default_locale="en"),
        clock=ManualClock(),
        on_unmapped=lambda _: None,
        inbox=providers.get("inbox"),
    )


@pytest.mark.parametrize("recipient_id", ["cust-42", "inbox:", "https://a b", " ", "ünï\n"])
def test_the_address_of_an_inbox_names_its_recipient(recipient_id: str) -> None:
    assert inbox_message.recipient_of(inbox_message.address(recipient_id)) == recipient_id


def test_a_subscription_and_nothing_are_no_inbox() -> None:
    assert inbox_message.recipient_of(SUBSCRIPTION.address) is None
    assert inbox_message.recipient_of("inbox:") is None


def test_a_recipient_with_an_id_has_an_inbox_beside_the_subscriptions() -> None:
    both = addresses({"id": "ada", "browser": [DOCUMENT]}, POLICY, inbox=True)

    assert both == ("inbox:ada", SUBSCRIPTION.address)
    assert addresses({"id": "ada"}, POLICY, inbox=True) == ("inbox:ada",)
    assert addresses({"browser": [DOCUMENT]}, POLICY, inbox=True) == (SUBSCRIPTION.address,)
    assert addresses({"id": "ada", "browser": [DOCUMENT]}, POLICY) == (SUBSCRIPTION.address,)


def test_nobody_to_reach_is_a_fault() -> None:
    without_id, without_inbox = addresses({}, POLICY, inbox=True), addresses({"id": "ada"}, POLICY)
    without_key = addresses({"id": "ada", "browser": [DOCUMENT]}, POLICY, pushes=False, inbox=True)

    assert [isinstance(each, Fault) for each in (without_id, without_inbox, without_key)] == [True] * 3


@pytest.mark.parametrize(
    ("sections", "enabled"),
    [({}, False), ({"webpush": VAPID}, True), ({"browser": {"inbox": True}}, True), ({"browser": {}}, False)],
)
def test_the_channel_is_on_for_whoever_asked_for_a_provider_of_it(sections: dict[str, Any], enabled: bool) -> None:
    assert channel.enabled(settings(**sections)) is enabled


async def test_a_letter_has_what_is_shown_and_whose_it_is() -> None:
    content = {**CONTENT, "url": "/parcels/7", "data": {"parcel": 7}}
    message = await carrier(inbox=object()).render(to_inbox(content=content, tenant="acme"))

    assert message == Letter(
        owner=Owner("acme", "cust 42"),
        notification_id=delivery().notification_id,
        delivery_id=delivery().id,
        shown=Shown(category="orders", url="/parcels/7", data='{"parcel":7}', **CONTENT),
    )
    assert "cust 42" not in repr(message)
    assert CONTENT["title"] not in repr(message)


async def test_a_letter_is_no_larger_than_a_push_may_be() -> None:
    message = await carrier(inbox=object()).render(to_inbox(content={"title": "x", "body": "x" * 4000}))

    assert isinstance(message, Rejected)
    assert message.reason == "message_too_large"


async def test_a_provider_that_is_off_by_now_is_a_dead_letter_that_says_so() -> None:
    message = await carrier().render(to_inbox(expires_at=delivery().expires_at + timedelta(days=1)))

    assert isinstance(message, Rejected)
    assert (message.reason, message.scope) == ("provider_off", "message")
    assert carrier().candidates(to_inbox()) == ("inbox",)
    assert carrier().candidates(delivery()) == ("webpush",)
