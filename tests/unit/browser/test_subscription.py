"""Subscriptions: what is taken of them, where a fault is, and that an address has all of one."""

import base64
import copy
from typing import Any

import pytest

from channels.browser.channel import addresses
from channels.browser.schema import fragments
from channels.browser.settings import BrowserSettings, endpoint_policy
from channels.browser.subscription import Subscription, from_address, read
from tests.unit.browser.support import AUTH, DOCUMENT, ENDPOINT, P256DH, SUBSCRIPTION
from tocsin.validation import Fault, Schema

POLICY = endpoint_policy(BrowserSettings())
POINT = base64.urlsafe_b64decode(P256DH + "=")


def text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode()


def changed(**keys: str) -> dict[str, Any]:
    return {**DOCUMENT, "keys": {**DOCUMENT["keys"], **keys}}


def test_what_a_browser_gives_is_taken_as_it_is() -> None:
    schema = Schema({"type": "object", "properties": fragments()["recipient"]})

    assert schema.faults({"browser": [DOCUMENT]}) == ()
    assert read(DOCUMENT, pointer="", policy=POLICY) == SUBSCRIPTION


@pytest.mark.parametrize("key_id", [None, "Qt4bSmsbkcGKZTmM"])
def test_an_address_has_all_that_is_needed_to_send(key_id: str | None) -> None:
    subscription = Subscription(endpoint=ENDPOINT, p256dh=P256DH, auth=AUTH, key_id=key_id)

    assert from_address(subscription.address) == subscription


def test_the_longest_endpoint_makes_an_address_that_a_delivery_can_have() -> None:
    longest = {**DOCUMENT, "endpoint": "https://fcm.googleapis.com/".ljust(1800, "x"), "key_id": "k" * 16}
    found = read(longest, pointer="", policy=POLICY)

    assert isinstance(found, Subscription)
    assert len(found.address) <= 2048


def test_padding_and_the_other_alphabet_are_the_same_subscription() -> None:
    padded = changed(p256dh=base64.b64encode(POINT).decode(), auth=AUTH + "==")

    assert read(padded, pointer="", policy=POLICY) == SUBSCRIPTION


@pytest.mark.parametrize(
    ("keys", "pointer"),
    [
        ({"p256dh": text(POINT[:-1])}, "/keys/p256dh"),
        ({"p256dh": text(POINT + b"\0")}, "/keys/p256dh"),
        ({"p256dh": text(b"\x02" + POINT[1:])}, "/keys/p256dh"),
        ({"p256dh": text(POINT[:-1] + bytes([POINT[-1] ^ 1]))}, "/keys/p256dh"),
        ({"p256dh": text(b"\x04" + bytes(64))}, "/keys/p256dh"),
        ({"p256dh": "no base64!"}, "/keys/p256dh"),
        ({"p256dh": "ä" * 87}, "/keys/p256dh"),
        ({"auth": text(b"1")}, "/keys/auth"),
        ({"auth": text(bytes(15))}, "/keys/auth"),
        ({"auth": text(bytes(17))}, "/keys/auth"),
        ({"auth": "%%%"}, "/keys/auth"),
    ],
)
def test_keys_that_are_none_are_refused_with_their_place(keys: dict[str, str], pointer: str) -> None:
    found = read(changed(**keys), pointer="/subscription", policy=POLICY)

    assert isinstance(found, Fault)
    assert found.pointer == f"/subscription{pointer}"


@pytest.mark.parametrize(
    "address",
    ["", ENDPOINT, f"{ENDPOINT} {P256DH}", f"{ENDPOINT} {AUTH} {P256DH}", f"{SUBSCRIPTION.address} k k", "a  b c"],
)
def test_what_is_no_address_of_a_subscription_is_told(address: str) -> None:
    with pytest.raises(ValueError, match=r"^not the"):
        from_address(address)


def test_each_browser_is_an_address_and_a_repeated_one_is_one() -> None:
    other = {**DOCUMENT, "endpoint": "https://web.push.apple.com/Q"}
    found = addresses({"browser": [DOCUMENT, other, copy.deepcopy(DOCUMENT)]}, POLICY)

    assert not isinstance(found, Fault)
    assert [from_address(each).endpoint for each in found] == [ENDPOINT, other["endpoint"]]


def test_one_endpoint_with_two_keys_is_a_mistake() -> None:
    found = addresses({"browser": [DOCUMENT, changed(auth=text(bytes(16)))]}, POLICY)

    assert found == Fault(
        pointer="/recipient/browser/1/endpoint", detail="is the endpoint of another subscription, with other keys"
    )


def test_the_fault_of_a_later_subscription_has_its_number() -> None:
    found = addresses({"browser": [DOCUMENT, {**DOCUMENT, "endpoint": "https://10.0.0.1/"}]}, POLICY)

    assert isinstance(found, Fault)
    assert found.pointer == "/recipient/browser/1/endpoint"


def test_without_any_the_channel_says_what_is_missing() -> None:
    found = addresses({"id": "cust-42"}, POLICY)

    assert isinstance(found, Fault)
    assert found.pointer == "/recipient/browser"


@pytest.mark.parametrize("key_id", ["short", "with a space in it", "k" * 17])
def test_a_key_id_is_checked_by_the_schema(key_id: str) -> None:
    schema = Schema({"type": "object", "properties": fragments()["recipient"]})
    faults = schema.faults({"browser": [{**DOCUMENT, "key_id": key_id}]})

    assert [fault.pointer for fault in faults] == ["/browser/0/key_id"]


def test_a_subscription_shows_nothing_of_its_keys_to_a_log() -> None:
    assert ENDPOINT not in repr(SUBSCRIPTION) + str(SUBSCRIPTION)
    assert AUTH not in repr(SUBSCRIPTION)
