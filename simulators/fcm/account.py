"""The simulator's own service account: made anew in each process, and worth nothing anywhere else."""

from dataclasses import dataclass, field

import msgspec
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

PROJECT = "tocsin-demo"
TOKEN_URI = "https://oauth2.googleapis.com/token"  # noqa: S105 - an address; who the assertions are for
_EMAIL = f"simulator@{PROJECT}.iam.gserviceaccount.com"
_KEY_ID = "0123456789abcdef0123456789abcdef01234567"
_BITS = 2048


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A service account with its private key."""

    email: str = _EMAIL
    key_id: str = _KEY_ID
    project: str = PROJECT
    key: RSAPrivateKey = field(repr=False)

    def document(self) -> str:
        """Return it as the JSON file that the Firebase console hands out."""
        pem = self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
        file = {
            "type": "service_account",
            "project_id": self.project,
            "private_key_id": self.key_id,
            "private_key": pem,
            "client_email": self.email,
            "token_uri": TOKEN_URI,
        }
        return msgspec.json.encode(file).decode()


def generate() -> Account:
    """Return an account with a new key. It takes some tenths of a second."""
    return Account(key=generate_private_key(public_exponent=65537, key_size=_BITS))
