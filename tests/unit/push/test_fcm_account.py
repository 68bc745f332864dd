"""The service account's file, and the assertions that it signs, held against another implementation of JWT."""

from datetime import UTC, datetime
from typing import Any

import jwt
import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from channels.push import fcm_account
from tests.unit.push.fcm_peer import service_account
from tocsin.errors import SettingsError


def file(**changes: Any) -> str:
    return msgspec.json.encode(msgspec.json.decode(service_account().document()) | changes).decode()


def elliptic() -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def test_an_assertion_is_what_google_asks_for() -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    assertion = fcm_account.parse(file()).assertion(now)

    claims = jwt.decode(
        assertion,
        service_account().key.public_key(),
        algorithms=["RS256"],
        audience="https://oauth2.googleapis.com/token",
    )

    assert jwt.get_unverified_header(assertion) == {"alg": "RS256", "typ": "JWT", "kid": service_account().key_id}
    assert claims == {
        "iss": "simulator@tocsin-demo.iam.gserviceaccount.com",
        "scope": "https://www.googleapis.com/auth/firebase.messaging",
        "aud": "https://oauth2.googleapis.com/token",
        "iat": int(now.timestamp()),
        "exp": int(now.timestamp()) + 3600,
    }


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("not JSON, but a secret", "is not the JSON file of a service account: it is no JSON"),
        (file(private_key=7), r"Expected `str`, got `int` - at `\$\.private_key`"),
        (file(type="authorized_user"), "is not of a service account"),
        (file(private_key="secret"), "its private_key is no private key in PEM"),
        (file(private_key=elliptic()), "its private_key is no RSA key"),
    ],
    ids=["no-json", "another-type", "a-user", "no-key", "elliptic"],
)
def test_what_is_no_service_account_is_told_without_its_secrets(text: str, words: str) -> None:
    with pytest.raises(SettingsError, match=words) as told:
        fcm_account.parse(text)

    assert "secret" not in str(told.value)


def test_an_account_does_not_show_its_key() -> None:
    assert "RSA" not in repr(fcm_account.parse(file()))
