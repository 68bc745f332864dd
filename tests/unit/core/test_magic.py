"""Magic recipients: which addresses are, what becomes of them, and that the documentation says the same."""

import re
from pathlib import Path
from typing import Any

import pytest

from channels.browser import subscription
from channels.browser.endpoint import EndpointPolicy
from channels.browser.subscription import Subscription
from channels.email.address import parse as parse_mailbox
from channels.push import device
from channels.sms.phone import parse as parse_phone
from tests.unit.browser.support import DOCUMENT
from tocsin import magic
from tocsin.outcome import Deferred, Delivered

DOCS = Path(__file__).parents[3] / "docs" / "testing.md"


def _push(provider: str, token: str) -> object:
    found = device.addresses({"push": [{"provider": provider, "token": token}]})
    return found[0] if isinstance(found, tuple) else found


def _browser(endpoint: str) -> object:
    policy = EndpointPolicy(hosts=("fcm.googleapis.com",), exceptions=frozenset())
    found = subscription.read({**DOCUMENT, "endpoint": endpoint}, pointer="", policy=policy)
    return found.address if isinstance(found, Subscription) else found


@pytest.mark.parametrize("name", magic.ALL)
def test_every_channel_takes_its_addresses_and_they_keep_their_name(name: str) -> None:
    addresses = [
        parse_mailbox(f"{name}@magic.invalid"),
        parse_mailbox(f"{name.upper()}+any.thing@MAGIC.invalid"),
        parse_phone(magic.ALL[name].phone),
        _push("fcm", f"magic:{name}"),
        _push("fcm", f"magic:{name}+device-2"),
        _push("apns", f"magic:{name}".encode().hex().upper()),
        _browser(f"https://fcm.googleapis.com/fcm/send/magic:{name}"),
        _browser(f"https://fcm.googleapis.com/fcm/send/magic:{name}+2"),
    ]

    for address in addresses:
        assert isinstance(address, str)
        assert magic.name_of(address) == name
        assert magic.of(address) is magic.ALL[name]


@pytest.mark.parametrize(
    "address",
    [
        "ada@example.test",
        "magic@example.test",
        "bounced@magic.invalid.example.test",
        "bounced@notmagic.invalid",
        "+12025550143",
        "fcm:dGVz:APA91bMagic",
        "fcm:magic:BOUNCED",
        "apns:6d616769633a6",
        "apns:6d616769633aff",
        "https://fcm.googleapis.com/magic:bounced/more p a",
    ],
)
def test_what_is_not_magic_stands_for_delivered(address: str) -> None:
    assert magic.name_of(address) is None
    assert magic.of(address) is magic.DELIVERED


def test_a_name_that_is_not_known_is_a_name_all_the_same() -> None:
    assert magic.name_of("bounce@magic.invalid") == "bounce"
    assert magic.of("bounce@magic.invalid") is magic.DELIVERED


def test_the_last_outcome_holds_for_all_further_attempts() -> None:
    once = magic.ALL["deferred-once"]

    assert [type(once.outcome(attempt)) for attempt in (1, 2, 3)] == [Deferred, Delivered, Delivered]


def test_nothing_is_suppressed_by_what_becomes_of_a_test() -> None:
    outcomes: list[Any] = [outcome for each in magic.ALL.values() for outcome in each.outcomes]

    assert {getattr(outcome, "suppress", None) for outcome in outcomes} == {None}


def test_the_documentation_has_the_whole_table() -> None:
    rows = re.findall(r"^\| `([a-z-]+)` \| `(\+\d+)` \| (.+) \|$", DOCS.read_text(encoding="utf-8"), re.MULTILINE)

    assert [(name, phone) for name, phone, _ in rows] == [(each.name, each.phone) for each in magic.ALL.values()]
    told = {name: re.findall(r"receipt `(\w+)`", text) for name, _, text in rows}
    meant = {
        each.name: [each.receipt.rpartition(".")[2]] if each.receipt is not None else [] for each in magic.ALL.values()
    }
    assert told == meant
