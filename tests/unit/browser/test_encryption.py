"""Encryption, held to the RFC's own example and to an independent reader."""

import secrets

import http_ece  # type: ignore[import-untyped] # it has no types
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from channels.browser import base64url, encryption, keys
from channels.browser.encryption import MAX_BODY, MAX_PLAINTEXT
from tests.unit.browser.support import (
    AUTH,
    BODY,
    BROWSER_PRIVATE,
    PLAINTEXT,
    SALT,
    SERVER_PRIVATE,
    SUBSCRIPTION,
)


def private(text: str) -> ec.EllipticCurvePrivateKey:
    found = keys.read(text)
    assert found is not None
    return found.private


def decrypted(body: bytes) -> bytes:
    found: bytes = http_ece.decrypt(
        body, private_key=private(BROWSER_PRIVATE), auth_secret=base64url.decode(AUTH), version="aes128gcm"
    )
    return found


def test_the_example_of_rfc_8291_is_encrypted_as_it_is_printed_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the example's key and salt in place of random ones, all that the library does by itself is the same."""
    monkeypatch.setattr("pywebpush.ec.generate_private_key", lambda *_: private(SERVER_PRIVATE))
    monkeypatch.setattr("http_ece.os.urandom", lambda _: base64url.decode(SALT))

    assert base64url.encode(encryption.encrypt(PLAINTEXT, SUBSCRIPTION)) == BODY


def test_the_example_of_rfc_8291_is_decrypted() -> None:
    assert decrypted(base64url.decode(BODY)) == PLAINTEXT


@pytest.mark.parametrize("size", [1, 100, MAX_PLAINTEXT - 1, MAX_PLAINTEXT])
def test_the_browser_reads_every_size_out_of_one_record(size: int) -> None:
    plaintext = secrets.token_bytes(size)
    body = encryption.encrypt(plaintext, SUBSCRIPTION)

    assert decrypted(body) == plaintext
    assert len(body) == size + 103


def test_the_largest_plaintext_fills_the_largest_body() -> None:
    assert (MAX_PLAINTEXT, MAX_BODY) == (3993, 4096)


@pytest.mark.parametrize("size", [0, MAX_PLAINTEXT + 1])
def test_what_does_not_fit_into_one_record_is_a_bug_of_the_caller(size: int) -> None:
    with pytest.raises(ValueError, match="1 to 3993 bytes"):
        encryption.encrypt(bytes(size), SUBSCRIPTION)
