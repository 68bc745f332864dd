"""`[rules]`: topics that can be, and are not our own."""

import pytest

from tocsin.errors import SettingsError
from tocsin.settings.load import load
from tocsin.settings.sections import Rules


def section(*topics: str) -> Rules:
    overrides = {"rules": {"topics": list(topics)}}
    return load({"rules": Rules}, path=None, environ={}, overrides=overrides).section("rules", Rules)


def test_topics_of_others_are_taken() -> None:
    assert section("shop.orders", "shop_payments-2").topics == ("shop.orders", "shop_payments-2")


@pytest.mark.parametrize(
    ("topics", "why"),
    [
        (("notifications.audit",), "must not be Tocsin's own"),
        (("shop orders",), "must each be 1 to 249 of"),
        (("..",), "must each be 1 to 249 of"),
        (("a", "a"), "must not name one twice"),
    ],
)
def test_what_cannot_be_read_is_refused(topics: tuple[str, ...], why: str) -> None:
    with pytest.raises(SettingsError, match=why):
        section(*topics)
