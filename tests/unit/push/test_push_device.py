"""Devices: what a recipient may give, and the addresses that come of it."""

from typing import Any

import pytest

from channels.push import device, schema
from channels.push.device import Device
from tocsin.validation import Fault, Schema

APNS = "AB12" * 16


def entry(provider: str, token: str) -> dict[str, str]:
    return {"provider": provider, "token": token}


def test_each_device_is_an_address_once() -> None:
    devices = [entry("fcm", "a:b"), entry("apns", APNS), entry("fcm", "a:b"), entry("apns", APNS.lower())]

    assert device.addresses({"push": devices}) == ("fcm:a:b", f"apns:{APNS.lower()}")


def test_an_address_is_read_back() -> None:
    assert device.parse("fcm:a:b") == Device("fcm", "a:b")
    assert device.parse("nonsense") == Device("", "nonsense")


def test_a_recipient_without_devices_cannot_be_pushed_to() -> None:
    assert device.addresses({}) == Fault(pointer="/recipient/push", detail="is required for the channel push")


@pytest.mark.parametrize("token", ["xyz", "abc"])
def test_a_token_of_apns_is_hexadecimal(token: str) -> None:
    found = device.addresses({"push": [entry("fcm", "x"), entry("apns", token)]})

    assert isinstance(found, Fault)
    assert found.pointer == "/recipient/push/1/token"
    assert token not in found.detail


@pytest.mark.parametrize(
    ("push", "pointers"),
    [
        ([entry("fcm", "x")], []),
        ([entry("fcm", str(number)) for number in range(20)], []),
        ([entry("fcm", str(number)) for number in range(21)], [""]),
        ([], [""]),
        ("x", [""]),
        ([{"provider": "fcm"}], ["/0/token"]),
        ([entry("pigeon", "x")], ["/0/provider"]),
        ([entry("fcm", "")], ["/0/token"]),
        ([entry("fcm", "a b")], ["/0/token"]),
        ([entry("fcm", "ä")], ["/0/token"]),
        ([entry("fcm", "x" * 1025)], ["/0/token"]),
        ([entry("fcm", "x") | {"platform": "ios"}], ["/0/platform"]),
    ],
)
def test_the_schema_of_devices(push: Any, pointers: list[str]) -> None:
    found = Schema(schema.fragments()["recipient"]["push"]).faults(push)

    assert [fault.pointer for fault in found] == pointers


@pytest.mark.parametrize(
    ("content", "pointers"),
    [
        ({"title": "x", "body": "y"}, []),
        ({"title": "x", "body": "y", "data": {"order": "1001"}}, []),
        ({"title": "x"}, ["/body"]),
        ({"title": "", "body": "y"}, ["/title"]),
        ({"title": "x", "body": "y", "data": {"order": 1001}}, ["/data/order"]),
        ({"title": "x", "body": "y", "data": {"from": "z"}}, ["/data/from"]),
        ({"title": "x", "body": "y", "data": {"aps": "z"}}, ["/data/aps"]),
        ({"title": "x", "body": "y", "data": {"google.c.a": "z"}}, ["/data/google.c.a"]),
        ({"title": "x", "body": "y", "data": {"tocsin_notification_id": "z"}}, ["/data/tocsin_notification_id"]),
        ({"title": "x", "body": "y", "sound": "z"}, ["/sound"]),
    ],
)
def test_the_schema_of_contents(content: dict[str, Any], pointers: list[str]) -> None:
    found = Schema(schema.fragments()["content"]).faults(content)

    assert [fault.pointer for fault in found] == pointers
