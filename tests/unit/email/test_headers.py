"""Header fields: read back identically by the strict parser of the standard library, or refused."""

import email
import email.policy
import re
from email.header import decode_header, make_header

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.email.address import Mailbox
from channels.email.headers import Unsendable, encode_mailbox, encode_unstructured, encode_unsubscribe

STRICT = email.policy.default.clone(raise_on_defect=True)
FORBIDDEN = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


def read(field: bytes, name: str) -> str:
    return str(email.message_from_bytes(field + b"\r\nbody", policy=STRICT)[name])


@given(st.text(max_size=300) | st.text(alphabet='ab =?_<>"\\.,äß→🎉', max_size=300))
def test_a_subject_is_read_back_or_refused(value: str) -> None:
    if FORBIDDEN.search(value):
        with pytest.raises(Unsendable):
            encode_unstructured("Subject", value)
        return

    field = encode_unstructured("Subject", value)

    assert field.isascii()
    assert max(map(len, field.split(b"\r\n"))) <= 78
    assert not re.search(rb"\r\n[^ ]", field)
    assert read(field, "Subject") == value


@given(st.text(max_size=120) | st.text(alphabet='ab =?_<>"\\.,äß🎉', max_size=120))
def test_a_display_name_is_read_back_or_refused(name: str) -> None:
    mailbox = Mailbox(name=name, address="ada@example.com")
    if FORBIDDEN.search(name):
        with pytest.raises(Unsendable):
            encode_mailbox("From", mailbox)
        return

    field = encode_mailbox("From", mailbox)
    addresses = email.message_from_bytes(field + b"\r\nbody", policy=STRICT)["From"].addresses

    assert field.isascii()
    assert max(map(len, field.split(b"\r\n"))) <= 78
    assert [each.addr_spec for each in addresses] == ["ada@example.com"]
    if b"=?" in field:
        # The parser of 3.11 reads a space between two encoded words of a phrase; RFC 2047 (6.2) does not.
        phrase = field.decode().removeprefix("From: ").rpartition("<")[0].replace("\r\n", "")
        assert str(make_header(decode_header(phrase.rstrip()))) == name
    else:
        assert [each.display_name for each in addresses] == [name]


def test_encoded_words_do_not_split_characters() -> None:
    field = encode_unstructured("Subject", "🎉" * 60)

    words = re.findall(rb"=\?utf-8\?[bq]\?[^?]*\?=", field)

    assert len(words) > 1
    assert max(map(len, words)) <= 75
    assert [str(decode_header(word.decode())[0][0], "utf-8").strip("🎉") for word in words] == [""] * len(words)


@pytest.mark.parametrize("value", ["a\r\nBcc: eve@evil.test", "a\nb", "a\rb", "a\x00b", "a\x0bb", "\ud800", "a\u2028b"])
def test_injection_is_refused(value: str) -> None:
    with pytest.raises(Unsendable, match="Subject holds a control character"):
        encode_unstructured("Subject", value)


def test_only_our_own_fields_can_be_written() -> None:
    with pytest.raises(ValueError, match="not a header field"):
        encode_unstructured("Bcc", "x")
    with pytest.raises(ValueError, match="not a header field"):
        encode_unstructured("Subject\r\nBcc", "x")


def test_plain_text_stays_plain() -> None:
    assert encode_unstructured("Subject", "Your order A-17 is confirmed") == (
        b"Subject: Your order A-17 is confirmed\r\n"
    )
    assert encode_unstructured("Subject", "Ihre Bestellung ist bestätigt") == (
        b"Subject: =?utf-8?q?Ihre_Bestellung_ist_best=C3=A4tigt?=\r\n"
    )
    assert encode_mailbox("From", Mailbox(name="Shop, Inc.", address="a@b.example")) == (
        b'From: "Shop, Inc." <a@b.example>\r\n'
    )


@pytest.mark.parametrize("length", [40, 78, 400, 900])
def test_a_link_to_unsubscribe_stays_in_one_piece(length: int) -> None:
    """The standard library would fold it into encoded words, which no mail program reads."""
    url = "https://notify.example.com/v1/unsubscribe/".ljust(length, "a")

    fields = encode_unsubscribe(url)

    assert fields == b"List-Unsubscribe: <%b>\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n" % url.encode()
    message = email.message_from_bytes(fields + b"\r\nbody", policy=STRICT)
    assert message["List-Unsubscribe"] == f"<{url}>"
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"


@pytest.mark.parametrize(
    "url",
    ["", "https://e.example/ä", "https://e.example/ a", "https://e.example/\r\nBcc: e", "https://e/>,<x", "a" * 979],
)
def test_what_is_no_url_or_too_long_for_a_line_is_refused(url: str) -> None:
    with pytest.raises(Unsendable, match="List-Unsubscribe"):
        encode_unsubscribe(url)
