"""DKIM against RFC 8463's example and against another implementation (dkimpy)."""

from base64 import b64decode, b64encode
from collections.abc import Mapping
from datetime import UTC, datetime

import dkim as dkimpy  # type: ignore[import-untyped] # it has no types
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from channels.email import dkim
from channels.email.address import Mailbox
from channels.email.headers import encode_unsubscribe
from channels.email.mime import Skeleton
from tocsin.delivery import Attachment

NOW = datetime(2026, 11, 1, 9, 0, 0, 750_000, tzinfo=UTC)
ED25519 = Ed25519PrivateKey.from_private_bytes(b64decode("nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A="))
RECORDS: Mapping[bytes, bytes] = {
    b"brisbane._domainkey.football.example.com.": b"v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=",
}
HEAD = (
    b"From: Joe SixPack <joe@football.example.com>\r\n"
    b"To: Suzie Q <suzie@shopping.example.net>\r\n"
    b"Subject: Is dinner ready?\r\n"
    b"Date: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)\r\n"
    b"Message-ID: <20030712040037.46341.5F8J@football.example.com>\r\n"
)
BODY = b"Hi.\r\n\r\nWe lost the game.  Are you hungry yet?\r\n\r\nJoe.\r\n"
FIELD = (
    b"DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed;\r\n"
    b" d=football.example.com; i=@football.example.com;\r\n"
    b" q=dns/txt; s=brisbane; t=1528637909; h=from : to :\r\n"
    b" subject : date : message-id : from : subject : date;\r\n"
    b" bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;\r\n"
    b" b="
)
TEXT_SENT = "Good   morning \n\n  from the old town of Köln, where all is well \n\n\n"
SIGNATURE = b"/gCrinpcQOoIfuHNQIbq4pgh9kyIK3AQUdt9OdqQehSwhEIug4D11BusFa3bT3FY5OsU7ZbnKELq+eXdp1Q1Dw=="


@pytest.fixture(scope="module")
def rsa_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def record(key: dkim.Key) -> bytes:
    """Return what the DNS has of a key."""
    if isinstance(key, rsa.RSAPrivateKey):
        der = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return b"v=DKIM1; k=rsa; p=" + b64encode(der)
    return b"v=DKIM1; k=ed25519; p=" + b64encode(key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw))


def verified(message: bytes, key: dkim.Key | None = None) -> bool:
    """Return whether dkimpy takes a message's first signature for good."""
    records = RECORDS if key is None else {b"mail._domainkey.shop.example.": record(key)}
    found: bool = dkimpy.verify(message, dnsfunc=lambda name, timeout=5: records.get(name))  # noqa: ARG005 - its own
    return found


def signer(key: dkim.Key, **changes: tuple[str, ...]) -> dkim.Signer:
    return dkim.Signer(key, domain="shop.example", selector="mail", **changes)


def mail(text: str = TEXT_SENT, subject: str = "Ihre Bestellung", html: str | None = None) -> bytes:
    skeleton = Skeleton(
        sender=Mailbox(name="Müller, Söhne & Co", address="no-reply@shop.example"), message_id_domain="shop.example"
    )
    return skeleton.message(
        key="dlv_1",
        identity=("default", "ntf_1", "ada@example.com"),
        date=NOW,
        to="ada@example.com",
        subject=subject,
        text=text,
        html=html,
        files=(Attachment(filename="a.txt", content_type="text/plain", content="aGkK"),) if html else (),
    )


def tags(message: bytes) -> dict[str, str]:
    """Return the tags of a message's signature, without white space."""
    head = message.partition(b"\r\n\r\n")[0] + b"\r\n"
    field = dict(dkim.split(head))[b"DKIM-Signature"].decode()
    pairs = (part.partition("=") for part in "".join(field.split()).split(";"))
    return {name: value for name, _, value in pairs}


def test_the_example_of_rfc_8463() -> None:
    names = [name.strip() for name in b"from:to:subject:date:message-id:from:subject:date".split(b":")]
    data = dkim.signed_bytes(dkim.split(HEAD), names, FIELD)

    assert b64encode(dkim._signed(ED25519, data)) == SIGNATURE
    assert verified(FIELD + SIGNATURE + b"\r\n" + HEAD + b"\r\n" + BODY)


@pytest.mark.parametrize(
    ("body", "relaxed"),
    [
        (b" C \r\nD \t E\r\n\r\n\r\n", b" C\r\nD E\r\n"),  # RFC 6376, section 3.4.5
        (b"", b""),
        (b"\r\n\r\n", b""),
        (b" \t\r\n", b""),
        (b"a", b"a\r\n"),
        (b"a \r\n \r\n\r\n", b"a\r\n"),
    ],
)
def test_the_relaxed_body(body: bytes, relaxed: bytes) -> None:
    assert dkim.relaxed_body(body) == relaxed


def test_the_relaxed_header() -> None:
    """RFC 6376, section 3.4.5."""
    fields = dkim.split(b"A: X\r\nB : Y\t\r\n\tZ  \r\n")

    assert dkim.signed_bytes(fields, [b"a", b"b"], b"S: b=") == b"a:X\r\nb:Y Z\r\ns:b="


@pytest.mark.parametrize("kind", ["rsa", "ed25519"])
@pytest.mark.parametrize("html", [None, "<p>Grüße</p>"])
def test_a_mail_is_signed(rsa_key: rsa.RSAPrivateKey, kind: str, html: str | None) -> None:
    key = rsa_key if kind == "rsa" else ED25519
    plain = mail(html=html)
    signed = signer(key).sign(plain, NOW)
    found = tags(signed)

    assert verified(signed, key)
    assert signed.endswith(plain)
    assert found["a"] == f"{kind}-sha256"
    assert (found["c"], found["d"], found["s"], found["t"]) == ("relaxed/relaxed", "shop.example", "mail", "1793523600")
    assert found["h"].split(":").count("From") == 2
    assert {"To", "Subject", "Date", "Message-ID", "Content-Type"} <= set(found["h"].split(":"))
    assert "l" not in found
    assert max(map(len, signed.partition(b"\r\nDate:")[0].split(b"\r\n"))) <= 78
    assert signer(key).sign(plain, NOW) == signed


@pytest.mark.parametrize(
    "change",
    [
        (b"Subject: Ihre", b"Subject: Eure"),
        (b"ada@example.com", b"eve@example.com"),
        (b"Content-Type: text/plain", b"Content-Type: text/html"),
        (b"morning", b"evening"),
        (b"\r\nDate: ", b"\r\nFrom: evil@evil.example\r\nDate: "),
    ],
)
def test_a_mail_that_was_changed_does_not_verify(change: tuple[bytes, bytes]) -> None:
    """A second From as well: it is signed that there is one."""
    signed = signer(ED25519).sign(mail(), NOW)
    forged = signed.replace(*change, 1)

    assert forged != signed
    assert not verified(forged, ED25519)


LINK = encode_unsubscribe("https://notify.example.com/v1/unsubscribe/".ljust(400, "a"))


def test_a_link_to_unsubscribe_is_signed() -> None:
    """RFC 8058, section 4, demands both fields."""
    signed = signer(ED25519).sign(LINK + mail(), NOW)
    names = tags(signed)["h"].split(":")

    assert verified(signed, ED25519)
    assert (names.count("List-Unsubscribe"), names.count("List-Unsubscribe-Post")) == (2, 2)
    assert not {"List-Unsubscribe", "List-Unsubscribe-Post"} & set(
        tags(signer(ED25519).sign(mail(), NOW))["h"].split(":")
    )


@pytest.mark.parametrize(
    "change",
    [
        (b"/v1/unsubscribe/a", b"/v1/unsubscribe/b"),
        (b"Post: List-Unsubscribe=One-Click", b"Post: List-Unsubscribe=Two-Click"),
        (LINK, b""),
        (b"\r\nDate: ", b"\r\nList-Unsubscribe: <https://evil.example>\r\nDate: "),
        (b"\r\nDate: ", b"\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\nDate: "),
    ],
)
def test_a_link_that_was_changed_or_added_does_not_verify(change: tuple[bytes, bytes]) -> None:
    signed = signer(ED25519).sign(LINK + mail(), NOW)
    forged = signed.replace(*change, 1)

    assert forged != signed
    assert not verified(forged, ED25519)


def test_a_line_that_was_added_does_not_verify() -> None:
    signed = signer(ED25519).sign(mail(), NOW)

    assert verified(signed + b"\r\n\r\n", ED25519)
    assert not verified(signed + b"Buy!\r\n", ED25519)


def test_what_others_write_anew_is_not_signed() -> None:
    signed = signer(ED25519, unsigned=("Date", "Message-ID")).sign(mail(), NOW)
    anew = signed.replace(b"Date: Sun", b"Date: Mon").replace(b"Message-ID: <", b"Message-ID: <0")

    assert anew != signed
    assert verified(anew, ED25519)


TEXT = st.text(alphabet=st.characters(exclude_categories=["Cs", "Cc"]), max_size=200)


@given(text=st.lists(TEXT).map("\n".join), subject=TEXT)
def test_any_mail_verifies(text: str, subject: str) -> None:
    try:
        plain = mail(text=text, subject=subject)
    except ValueError:  # the line separators of Unicode stand in no header
        return
    assert verified(signer(ED25519).sign(plain, NOW), ED25519)
