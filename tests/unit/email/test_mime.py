"""Whole messages: what the strict parser of the standard library reads back, and what is refused."""

import base64
import email
import email.policy
import email.utils
import re
from datetime import UTC, datetime, timedelta, timezone
from email.message import EmailMessage
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.email.address import Mailbox
from channels.email.headers import Unsendable
from channels.email.mime import Skeleton
from tocsin.delivery import Attachment

STRICT = email.policy.default.clone(raise_on_defect=True)
SKELETON = Skeleton(sender=Mailbox(name="Tocsin", address="no-reply@shop.example"), message_id_domain="shop.example")
DATE = datetime(2026, 11, 1, 9, 5, 7, 123456, tzinfo=UTC)


def build(**changes: Any) -> bytes:
    arguments: dict[str, Any] = {
        "key": "dlv_1",
        "identity": ("default", "ntf_1", "ada@example.com"),
        "date": DATE,
        "to": "ada@example.com",
        "subject": "Hello",
        "text": "Hello\n",
        "html": None,
    }
    return SKELETON.message(**(arguments | changes))


def read(data: bytes) -> EmailMessage:
    return email.message_from_bytes(data, policy=STRICT)


def part(message: EmailMessage, kind: str) -> str:
    found = message.get_body((kind,))
    assert found is not None
    return str(found.get_content())


def lines(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n").removesuffix("\n")


def attached(filename: str, content: bytes, **more: Any) -> Attachment:
    encoded = base64.b64encode(content).decode()
    return Attachment(filename=filename, content_type="application/octet-stream", content=encoded, **more)


def test_a_small_mail_byte_for_byte() -> None:
    assert build().split(b"\r\n") == [
        b"Date: Sun, 01 Nov 2026 09:05:07 +0000",
        b"Message-ID: <" + re.findall(rb"[0-9a-f]{30}", build())[0] + b"@shop.example>",
        b"From: Tocsin <no-reply@shop.example>",
        b"MIME-Version: 1.0",
        b"Auto-Submitted: auto-generated",
        b"To: ada@example.com",
        b"Subject: Hello",
        b"Content-Type: text/plain; charset=utf-8",
        b"Content-Transfer-Encoding: 7bit",
        b"",
        b"Hello",
        b"",
    ]


def test_the_date_is_in_utc_and_has_no_locale() -> None:
    moment = DATE.astimezone(timezone(timedelta(hours=5, minutes=30)))

    assert build(date=moment) == build()
    assert email.utils.parsedate_to_datetime(read(build())["Date"]) == DATE.replace(microsecond=0)


def test_the_message_id_is_of_the_notification_and_not_of_the_attempt() -> None:
    first = read(build())["Message-ID"]

    assert read(build(subject="other", key="dlv_2"))["Message-ID"] == first
    assert read(build(identity=("default", "ntf_2", "ada@example.com")))["Message-ID"] != first
    assert read(build(identity=("other", "ntf_1", "ada@example.com")))["Message-ID"] != first


def test_the_structure_is_the_smallest_that_holds_everything() -> None:
    inline = attached("logo.png", b"png", content_id="logo@shop.example")
    pdf = attached("Rechnung ä.pdf", b"%PDF")

    def kinds(**changes: Any) -> list[str]:
        return [each.get_content_type() for each in read(build(**changes)).walk()]

    assert kinds() == ["text/plain"]
    assert kinds(html="<p>x") == ["multipart/alternative", "text/plain", "text/html"]
    assert kinds(files=[pdf]) == ["multipart/mixed", "text/plain", "application/octet-stream"]
    assert kinds(html="<p>x", files=[inline, pdf]) == [
        "multipart/mixed",
        "multipart/related",
        "multipart/alternative",
        "text/plain",
        "text/html",
        "application/octet-stream",
        "application/octet-stream",
    ]


def test_attachments_keep_their_names_ids_and_bytes() -> None:
    content = bytes(range(256)) * 3
    message = read(build(html="<img src='cid:l@x'>", files=[attached("l.png", content, content_id="l@x")]))

    (logo,) = [each for each in message.walk() if each.get_content_type() == "application/octet-stream"]

    assert logo["Content-ID"] == "<l@x>"
    assert logo.get_filename() == "l.png"
    assert logo.get_content_disposition() == "inline"
    assert logo.get_payload(decode=True) == content


def test_a_missing_text_is_derived() -> None:
    html = "<html><head><title>T</title><style>p{}</style></head><body><h1>Hi &amp; bye</h1>"
    html += "<p>One <a href='https://x.example/y'>link</a><br>two</p><ul><li>a<li>b</ul></body></html>"

    text = part(read(build(text=None, html=html)), "plain")

    assert lines(text) == "Hi & bye\n\nOne link (https://x.example/y)\ntwo\n\n- a\n- b"


def test_a_boundary_that_the_text_holds_is_not_used() -> None:
    stem = re.findall(rb'boundary="(=_[0-9a-f]{30})a"', build(html="<p>x"))[0].decode()
    text = f"--{stem}a--\n--{stem}a\n"

    message = read(build(text=text, html="<p>x"))

    assert lines(part(message, "plain")) == lines(text)


@pytest.mark.parametrize(
    "changes",
    [
        {"subject": "a\r\nBcc: eve@evil.test"},
        {"to": "a@b.example\r\nBcc: eve@evil.test"},
        {"text": "a\x00b"},
        {"html": "\ud800"},
        {"files": [attached("a\r\nb", b"")]},
        {"files": [attached("../../etc/passwd", b"")]},
        {"files": [attached("", b"")]},
        {"files": [attached("a", b"", content_id="x>\r\nBcc: y")]},
        {"files": [Attachment(filename="a", content_type="text/plain\r\nX: y", content="")]},
        {"files": [Attachment(filename="a", content_type="multipart/mixed", content="")]},
        {"files": [Attachment(filename="a", content_type="text/plain", content="!!!")]},
        {"files": [Attachment(filename="a", content_type="text/plain", content="QQ==\n")]},
        {"files": [Attachment(filename="a", content_type="text/plain", content="ä")]},
    ],
)
def test_what_cannot_be_sent_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(Unsendable):
        build(**changes)


TEXT = st.text(max_size=200) | st.text(alphabet="ab =.-_\t\r\nä\u2028<>&", max_size=300)
NAME = st.text(min_size=1, max_size=40) | st.sampled_from(["a;b.pdf", 'a"b', "ä" * 40, " x ", "%41.txt", "a''b"])
FILES = st.lists(st.builds(lambda n, c, i: (n, c, i), NAME, st.binary(max_size=200), st.booleans()), max_size=3)


@given(subject=TEXT, text=TEXT, html=st.none() | TEXT, files=FILES)
def test_any_mail_is_read_back_identically_or_refused(
    subject: str, text: str, html: str | None, files: list[tuple[str, bytes, bool]]
) -> None:
    attachments = [
        attached(name, content, content_id=f"{index}@x" if inline else None)
        for index, (name, content, inline) in enumerate(files)
    ]
    try:
        data = build(subject=subject, text=text, html=html, files=attachments)
    except Unsendable:
        everything = "".join([subject, *(name for name, _, _ in files)])
        assert re.search("[\x00-\x1f\x7f-\x9f\u2028\u2029/\\\\]", everything) or "\x00" in text + (html or "")
        return

    assert data.isascii()
    assert b"\n" not in data.replace(b"\r\n", b"")
    assert b"\r" not in data.replace(b"\r\n", b"")
    assert max(map(len, data.split(b"\r\n"))) <= 998
    message = read(data)
    assert message["Subject"] == subject
    assert lines(part(message, "plain")) == lines(text)
    if html is not None:
        assert lines(part(message, "html")) == lines(html)
    found = [each for each in message.walk() if each.get_content_disposition() in ("attachment", "inline")]
    assert sorted((str(each.get_filename()), cast(bytes, each.get_payload(decode=True))) for each in found) == sorted(
        (name.strip(), content)
        for name, content, _ in files  # get_filename() strips
    )
