"""A service account of Google: who we are to FCM, and the assertions that prove it (RFC 7523, RS256)."""

from base64 import urlsafe_b64encode
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from tocsin.errors import SettingsError

SCOPE = "https://www.googleapis.com/auth/firebase.messaging"
_LIFETIME = timedelta(hours=1)


class _File(msgspec.Struct, frozen=True, kw_only=True):
    """What we need of the JSON file of the Firebase console."""

    type: str
    project_id: str
    client_email: str
    private_key_id: str
    private_key: str
    token_uri: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A service account. `token_uri` is who its assertions are for, wherever they are sent."""

    project_id: str
    client_email: str
    key_id: str
    key: RSAPrivateKey = field(repr=False)
    token_uri: str

    def assertion(self, now: datetime) -> str:
        """Return a signed JWT that asks for a token to send messages with; good for an hour."""
        head = {"alg": "RS256", "typ": "JWT", "kid": self.key_id}
        claims = {
            "iss": self.client_email,
            "scope": SCOPE,
            "aud": self.token_uri,
            "iat": int(now.timestamp()),
            "exp": int((now + _LIFETIME).timestamp()),
        }
        signed = b".".join(_encoded(msgspec.json.encode(part)) for part in (head, claims))
        return b".".join((signed, _encoded(self.key.sign(signed, PKCS1v15(), SHA256())))).decode()


def parse(text: str) -> Account:
    """Return the account that a file of the Firebase console describes. Raises SettingsError, without the key."""
    try:
        found = msgspec.json.decode(text, type=_File)
    except msgspec.DecodeError as error:
        raise SettingsError(f"fcm.credentials: is not the JSON file of a service account: {_worded(error)}") from None
    if found.type != "service_account":
        raise SettingsError("fcm.credentials: is not of a service account: make its key in the Firebase console")
    return Account(
        project_id=found.project_id,
        client_email=found.client_email,
        key_id=found.private_key_id,
        key=_key(found.private_key),
        token_uri=found.token_uri,
    )


def _key(pem: str) -> RSAPrivateKey:
    try:
        key = load_pem_private_key(pem.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise SettingsError("fcm.credentials: its private_key is no private key in PEM") from None
    if not isinstance(key, RSAPrivateKey):
        raise SettingsError("fcm.credentials: its private_key is no RSA key")
    return key


def _encoded(data: bytes) -> bytes:
    return urlsafe_b64encode(data).rstrip(b"=")


def _worded(error: msgspec.DecodeError) -> str:
    # Of a validation error the text names a field; of any other it may repeat what is there.
    return str(error) if isinstance(error, msgspec.ValidationError) else "it is no JSON"
