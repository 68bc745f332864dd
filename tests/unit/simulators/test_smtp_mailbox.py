"""What is kept and what is counted, and how a mail is read."""

from datetime import UTC, datetime

import pytest

from simulators.smtp import reading
from simulators.smtp.mailbox import Mailbox

NOW = datetime(2026, 1, 2, tzinfo=UTC)


def _mailbox(*, max_mails: int = 100, max_bytes: int = 1000) -> Mailbox:
    return Mailbox(now=lambda: NOW, max_mails=max_mails, max_bytes=max_bytes)


def _receive(mailbox: Mailbox, *recipients: str, raw: bytes = b"x") -> int:
    return mailbox.receive(mail_from="shop@x", recipients=recipients, raw=raw).id


def test_the_oldest_mail_makes_room_but_stays_counted() -> None:
    mailbox = _mailbox(max_mails=2)
    ids = [_receive(mailbox, "anna@x") for _ in range(3)]

    assert [mail.id for mail in mailbox.newest()] == [ids[2], ids[1]]
    assert mailbox.get(ids[0]) is None
    assert (mailbox.total, mailbox.kept, mailbox.by_recipient["anna@x"]) == (3, 2, 3)


def test_bytes_are_bounded_but_the_newest_mail_is_always_kept() -> None:
    mailbox = _mailbox(max_bytes=10)
    _receive(mailbox, "anna@x", raw=b"12345")
    _receive(mailbox, "anna@x", raw=b"12345")
    assert mailbox.kept == 2

    newest = _receive(mailbox, "anna@x", raw=b"x" * 11)
    assert [mail.id for mail in mailbox.newest()] == [newest]

    _receive(mailbox, "anna@x", raw=b"12345")
    assert mailbox.kept == 1


def test_a_mail_to_two_counts_for_both_and_once_in_the_total() -> None:
    mailbox = _mailbox()
    _receive(mailbox, "anna@x", "bert@x", "anna@x")

    assert (mailbox.total, dict(mailbox.by_recipient)) == (1, {"anna@x": 1, "bert@x": 1})
    assert [mail.recipients for mail in mailbox.newest(recipient="Bert@X")] == [("anna@x", "bert@x")]
    assert not list(mailbox.newest(recipient="carl@x"))


def test_clearing_forgets_the_counts_and_reuses_no_id() -> None:
    mailbox = _mailbox()
    before = _receive(mailbox, "anna@x")
    mailbox.clear()

    assert (mailbox.total, mailbox.kept, dict(mailbox.by_recipient)) == (0, 0, {})
    assert _receive(mailbox, "anna@x") > before


def test_an_address_that_is_not_utf8_can_be_shown() -> None:
    mailbox = _mailbox()
    _receive(mailbox, b"\xe9@x".decode("utf-8", "surrogateescape"))

    assert list(mailbox.by_recipient) == ["?@x"]


@pytest.mark.parametrize(
    ("header", "subject"),
    [
        (b"Subject: Hello", "Hello"),
        (b"SUBJECT: =?utf-8?q?Gr=C3=BC=C3=9Fe?= =?utf-8?b?4oKs?=", "Grüße€"),
        (b"Subject: two\r\n lines", "two lines"),
        ("Subject: Grüße".encode(), "Grüße"),
        (b"Subject: \xff", "\ufffd"),
        (b"Subject: =?no-such-charset?q?a?=", "=?no-such-charset?q?a?="),
        (b"Subject: =?utf-8?b?a?=", "=?utf-8?b?a?="),
        (b"Subject: =?utf-7?q?+2AA-?=", "?"),
        (b"X-Other: 1", ""),
        (b"", ""),
    ],
)
def test_a_subject_is_decoded_as_far_as_it_can_be(header: bytes, subject: str) -> None:
    assert reading.subject(header + b"\r\n\r\nSubject: not this\r\n") == subject


def test_the_message_id_keeps_its_brackets() -> None:
    assert reading.message_id(b"Message-ID:\r\n <1@x>\r\n\r\n") == "<1@x>"


PLAIN = b"Content-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nGr=FC=DFe"
HTML = b"Content-Type: text/html\r\n\r\n<b>Hi</b>"
ATTACHED = b"Content-Type: text/plain\r\nContent-Disposition: attachment\r\n\r\nnot this"


def _multipart(*parts: bytes) -> bytes:
    body = b"".join(b"\r\n--B\r\n" + part for part in parts)
    return b"Content-Type: multipart/mixed; boundary=B\r\n" + body + b"\r\n--B--\r\n"


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (PLAIN, "Grüße"),
        (HTML, "<b>Hi</b>"),
        (_multipart(ATTACHED, HTML, PLAIN), "Grüße"),
        (_multipart(ATTACHED, HTML), "<b>Hi</b>"),
        (_multipart(ATTACHED), ""),
        (b"Content-Type: text/plain; charset=nonsense\r\n\r\n\xffa", "\ufffda"),
        (b"Content-Type: text/plain; charset=rot13\r\n\r\na", "a"),
        (b"Content-Type: multipart/mixed\r\n\r\nno boundary", ""),
        (b"", ""),
    ],
)
def test_the_text_is_the_first_plain_part_else_the_first_html_part(raw: bytes, text: str) -> None:
    assert reading.text(raw) == text
