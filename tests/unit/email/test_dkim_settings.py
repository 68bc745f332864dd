"""From settings to a signer: what is told when they are wrong, and the way through the renderer."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat

from channels.email import dkim_settings
from channels.email.address import Mailbox
from channels.email.dkim import Signer
from channels.email.mail import Mail
from channels.email.render import Renderer
from channels.email.settings import EmailSettings
from tests.unit.email.test_dkim import ED25519, tags
from tocsin.delivery import Delivery, Lane, Person
from tocsin.errors import SettingsError
from tocsin.templates.catalogue import Catalogue

Key = Ed25519PrivateKey | rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
Write = Callable[[bytes], str]

NOW = datetime(2026, 11, 1, 9, 0, tzinfo=UTC)
DELIVERY = Delivery(
    id="dlv_1",
    notification_id="ntf_1",
    tenant="default",
    channel="email",
    address="ada@example.com",
    recipient=Person(id="u1"),
    lane=Lane.NORMAL,
    category="transactional",
    semantics="at_least_once",
    accepted_at=NOW,
    expires_at=NOW + timedelta(days=1),
    content={"subject": "Hello", "text": "Hello"},
)


def pem(key: Key, *, password: bytes | None = None) -> bytes:
    encryption = NoEncryption() if password is None else BestAvailableEncryption(password)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def to_file(content: bytes) -> str:
        (tmp_path / "dkim.pem").write_bytes(content)
        return str(tmp_path / "dkim.pem")

    return to_file


def signer(**settings: Any) -> Signer | None:
    return dkim_settings.signer(EmailSettings(**settings), sender_domain="shop.example")


def rendered(with_signer: Signer | None) -> bytes:
    renderer = Renderer(
        catalogue=Catalogue(default_locale="en"),
        sender=Mailbox(name="Shop", address="no-reply@shop.example"),
        return_path="bounces@shop.example",
        message_id_domain="shop.example",
        signer=with_signer,
    )
    found = renderer.render(DELIVERY)
    assert isinstance(found, Mail)
    assert found.size == len(found.data)
    return found.data


def test_without_a_key_nothing_is_signed() -> None:
    assert signer() is None
    assert b"DKIM-Signature" not in rendered(None)


def test_a_delivery_is_signed_as_of_when_it_was_accepted(write: Write) -> None:
    made = signer(dkim_key_file=write(pem(ED25519)), dkim_selector="tocsin1")
    found = tags(rendered(made))

    assert (found["d"], found["s"], found["t"]) == ("shop.example", "tocsin1", str(int(NOW.timestamp())))
    assert rendered(made) == rendered(made)
    assert rendered(made).endswith(rendered(None))


def test_another_domain_may_sign(write: Write) -> None:
    made = signer(dkim_key_file=write(pem(ED25519)), dkim_selector="a.b", dkim_domain="Bücher.example")

    assert tags(rendered(made))["d"] == "xn--bcher-kva.example"


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"dkim_selector": "a"}, r"email\.dkim_selector is set, but email\.dkim_key_file is not"),
        ({"dkim_domain": "a.example"}, r"email\.dkim_domain is set, but email\.dkim_key_file is not"),
        ({"dkim_key_file": "/nowhere/dkim.pem"}, r"set email\.dkim_selector too"),
        ({"dkim_key_file": "/nowhere/dkim.pem", "dkim_selector": "a; d=b"}, r"email\.dkim_selector must be a name"),
        ({"dkim_key_file": "/nowhere/dkim.pem", "dkim_selector": "a"}, r"/nowhere/dkim\.pem\) cannot be read: No such"),
        ({"dkim_key_file": "x", "dkim_selector": "a", "dkim_domain": "?"}, r"email\.dkim_domain must be a domain"),
    ],
)
def test_a_wrong_setting_is_named(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        signer(**settings)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"hunter2", r"no private key in PEM"),
        (pem(ED25519, password=b"hunter2"), r"no private key in PEM, or is encrypted"),
        (pem(rsa.generate_private_key(65537, 1024)), r"has 1024 bits: 2048 is the least"),
        (pem(ec.generate_private_key(ec.SECP256R1())), r"neither an RSA nor an Ed25519 key"),
    ],
    ids=["text", "encrypted", "weak", "ecdsa"],
)
def test_a_key_that_is_of_no_use_is_refused(write: Write, content: bytes, words: str) -> None:
    with pytest.raises(SettingsError, match=words) as caught:
        signer(dkim_key_file=write(content), dkim_selector="a")

    assert "hunter2" not in str(caught.value)
