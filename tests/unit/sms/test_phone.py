"""Phone numbers: E.164 or a fault that says why not, and never the number."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.sms import phone
from channels.sms.channel import channel
from tocsin.runtime.discover import setting_sections
from tocsin.settings.load import load
from tocsin.validation import Fault


@pytest.mark.parametrize(
    "text", ["+12025550143", "+1 202 555 0143", "+1 (202) 555-0143", " +1.202.555.0143 ", "+1\u00a0202\u00a05550143"]
)
def test_a_number_is_taken_however_it_is_written(text: str) -> None:
    assert phone.parse(text) == "+12025550143"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("202 555 0143", "does not begin with + and the country code"),
        ("+1 555 123 4567", "possible, since its length is right, but not valid"),
        ("+130355501", "not possible: it has too few digits"),
        ("+1303555014399", "not possible: it has too many digits"),
        ("+12025550143 ext 7", "an extension cannot be reached"),
        ("+12025550143x7", "an extension cannot be reached"),
        ("+12025550143#7", "an extension cannot be reached"),
        ("tel:+12025550143;ext=7", "an extension cannot be reached"),
        ("+1-202-FLOWERS", "what is no digit"),
        ("+19005551234", "premium or shared-cost"),
        ("+999123456789", "no phone number"),
        ("++12025550143,+4930", "an extension cannot be reached"),
        ("", "what is no digit"),
    ],
)
def test_what_is_wrong_is_said(text: str, why: str) -> None:
    found = phone.parse(text)

    assert isinstance(found, Fault)
    assert why in found.detail
    assert text.strip() == "" or text not in found.detail


def test_a_national_number_needs_a_region() -> None:
    assert phone.parse("01512 3456789", default_region="DE") == "+4915123456789"
    assert phone.parse("+12025550143", default_region="DE") == "+12025550143"


def test_only_regions_of_the_list_are_written_to() -> None:
    allowed = frozenset({"DE", "AT"})
    refused = phone.parse("+12025550143", regions=allowed)

    assert phone.parse("+4915123456789", regions=allowed) == "+4915123456789"
    assert isinstance(refused, Fault)
    assert "sms.regions" in refused.detail


@given(st.text(alphabet="+0123456789 ()-.x#;,ab\u0661", max_size=24))
def test_whatever_is_given_comes_out_as_e164_or_as_a_fault(text: str) -> None:
    found = phone.parse(text, default_region="US")

    if not isinstance(found, Fault):
        assert found[0] == "+"
        assert found[1:].isascii()
        assert found[1:].isdecimal()
        assert phone.parse(found) == found


def test_the_channel_follows_its_settings() -> None:
    sms = {"routes": ("twilio",), "default_region": "DE", "regions": ("DE",)}
    settings = load(setting_sections(), path=None, environ={}, overrides={"sms": sms})
    under = channel.under(settings)
    refused = under.addresses({"phone": "+12025550143"})

    assert channel.enabled(settings)
    assert under.addresses({"phone": "01512 3456789"}) == ("+4915123456789",)
    assert isinstance(refused, Fault)
    assert refused.pointer == "/recipient/phone"


def test_without_a_number_the_pointer_says_where_it_belongs() -> None:
    assert channel.addresses({}) == Fault(pointer="/recipient/phone", detail="is required for the channel sms")
    assert not channel.enabled(load(setting_sections(), path=None, environ={}))
