"""The providers of mobile push and browser push under contract."""

import base64
from datetime import timedelta
from functools import cache, partial
from pathlib import Path

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from channels.browser import keys as vapid_keys
from simulators.fcm.account import Account
from tests.contract.providers.apns_peer import apns_peer
from tests.contract.providers.harness import Answer, Case, Expected, Sections, Sent
from tests.contract.providers.http_peer import http_peer
from tests.support.http_server import Received, Reply
from tests.unit.browser.support import AUTH, P256DH
from tests.unit.email.http_sending import reply
from tocsin.outcome import Deferred, Delivered, Misconfigured, Rejected, Throttled, Unconfirmed

_FCM_ERROR = "type.googleapis.com/google.firebase.fcm.v1.FcmError"
_IN_7_S = timedelta(seconds=7)
_NAME = "projects/tocsin-demo/messages/"
_CONTENT = {"title": "Your parcel", "body": "It comes today"}


@cache
def _accounts() -> tuple[str, str]:
    """Return two service accounts with one key, which are told by the key's id."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    first, second = (Account(key=key, key_id=key_id).document() for key_id in ("first", "second"))
    return first, second


@cache
def _ec_keys() -> tuple[str, str]:
    """Return two keys of the curve P-256 in PEM."""
    first, second = (
        ec.generate_private_key(ec.SECP256R1())
        .private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        .decode()
        for _ in range(2)
    )
    return first, second


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _fcm_token(received: Received) -> Reply | None:
    """Return the token for an assertion, which has the name of the key that signed it."""
    if received.target != "/token":
        return None
    assertion = received.body.decode().partition("assertion=")[2].partition("&")[0]
    key_id = msgspec.json.decode(_decoded(assertion.partition(".")[0]))["kid"]
    return reply(200, {"access_token": f"token-{key_id}", "expires_in": 3599})


def _fcm_refusal(http: int, code: str, **headers: str) -> Reply:
    error = {"code": http, "message": "no", "details": [{"@type": _FCM_ERROR, "errorCode": code}]}
    return reply(http, {"error": error}, **headers)


def _fcm_settings(port: int, secret: Path) -> Sections:
    url = f"https://127.0.0.1:{port}"
    return {"fcm": {"credentials_file": str(secret), "base_url": url, "token_url": f"{url}/token"}}


def _fcm_proves(sent: Sent, secret: str) -> bool:
    return sent.headers["authorization"] == f"Bearer token-{msgspec.json.decode(secret)['private_key_id']}"


def _apns_settings(port: int, secret: Path) -> Sections:
    names = {"key_id": "KEY0123456", "team_id": "TEAM012345", "topic": "com.example.shop"}
    return {"apns": {"key_file": str(secret), **names, "base_url": f"https://127.0.0.1:{port}"}}


def _apns_proves(sent: Sent, secret: str) -> bool:
    signed, _, signature = sent.headers["authorization"].removeprefix("bearer ").rpartition(".")
    raw = _decoded(signature)
    der = encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))
    key = load_pem_private_key(secret.encode(), password=None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    try:
        key.public_key().verify(der, signed.encode(), ec.ECDSA(SHA256()))
    except InvalidSignature:
        return False
    return True


def _webpush_settings(port: int, secret: Path) -> Sections:
    # The key in use is kept as a retired one from the start: subscriptions need it once it is not in use any more.
    retired = secret.with_name("retired")
    retired.write_text(_ec_keys()[0])
    files = {"vapid_key_file": str(secret), "retired_key_files": [str(retired)]}
    keys = {**files, "subject": "mailto:push@example.com"}
    place = f"127.0.0.1:{port}"
    return {"browser": {"private_endpoints": [place]}, "webpush": keys}


def _webpush_proves(sent: Sent, secret: str) -> bool:
    key = vapid_keys.read(secret)
    assert key is not None
    return sent.headers["authorization"].endswith(f"k={key.public}")


FCM = Case(
    name="fcm",
    channel="push",
    serving=partial(
        http_peer,
        taken=lambda number: reply(200, {"name": f"{_NAME}{number}"}),
        replies={
            Answer.NO_SUCH_ADDRESS: _fcm_refusal(404, "UNREGISTERED"),
            Answer.BAD_MESSAGE: _fcm_refusal(400, "INVALID_ARGUMENT"),
            Answer.WRONG_SECRET: reply(403, {"error": {"status": "PERMISSION_DENIED"}}),
            Answer.TOO_FAST: _fcm_refusal(429, "QUOTA_EXCEEDED", Retry_After="7"),
            Answer.BUSY: _fcm_refusal(503, "UNAVAILABLE", Retry_After="7"),
            Answer.NONSENSE: reply(200, ["<html>"]),
        },
        aside=_fcm_token,
    ),
    settings=_fcm_settings,
    secrets=_accounts,
    proves=_fcm_proves,
    taken=lambda number: f"{_NAME}{number}",
    address=lambda _port: "fcm:device-1",
    content=_CONTENT,
    expected={
        Answer.NO_SUCH_ADDRESS: Expected(kind=Rejected, members={"scope": "address", "suppress": "dead_token"}),
        Answer.BAD_MESSAGE: Expected(kind=Rejected, members={"scope": "message"}),
        Answer.WRONG_SECRET: Expected(kind=Misconfigured),
        Answer.TOO_FAST: Expected(kind=Throttled, members={"scope": "account", "retry_after": _IN_7_S}),
        Answer.BUSY: Expected(kind=Deferred, members={"retry_after": _IN_7_S}),
        Answer.NONSENSE: Expected(kind=Unconfirmed),
    },
)

APNS = Case(
    name="apns",
    channel="push",
    serving=apns_peer,
    settings=_apns_settings,
    secrets=_ec_keys,
    proves=_apns_proves,
    taken=lambda number: f"id-{number}",
    address=lambda _port: "apns:" + "ab" * 32,
    content=_CONTENT,
    expected={
        Answer.NO_SUCH_ADDRESS: Expected(kind=Rejected, members={"scope": "address", "suppress": "dead_token"}),
        Answer.BAD_MESSAGE: Expected(kind=Rejected, members={"scope": "message"}),
        Answer.WRONG_SECRET: Expected(kind=Misconfigured),
        # Of this device only.
        Answer.TOO_FAST: Expected(kind=Throttled, members={"scope": "recipient", "retry_after": _IN_7_S}),
        Answer.BUSY: Expected(kind=Deferred, members={"retry_after": _IN_7_S}),
        # 500 without a reason: Apple has not taken what it answers so.
        Answer.NONSENSE: Expected(kind=Deferred),
    },
)

WEBPUSH = Case(
    name="webpush",
    channel="browser",
    serving=partial(
        http_peer,
        taken=lambda number: Reply(status=201, headers={"Location": f"/m/{number}"}),
        replies={
            Answer.NO_SUCH_ADDRESS: Reply(status=410),
            Answer.BAD_MESSAGE: Reply(status=413),
            Answer.WRONG_SECRET: Reply(status=403),
            Answer.TOO_FAST: Reply(status=429, headers={"Retry-After": "7"}),
            Answer.BUSY: Reply(status=503, headers={"Retry-After": "7"}),
            Answer.NONSENSE: Reply(status=201, body=b"<html>"),
        },
    ),
    settings=_webpush_settings,
    secrets=_ec_keys,
    proves=_webpush_proves,
    taken=lambda number: f"/m/{number}",
    address=lambda port: f"https://127.0.0.1:{port}/push/1 {P256DH} {AUTH}",
    content=_CONTENT,
    expected={
        Answer.NO_SUCH_ADDRESS: Expected(kind=Rejected, members={"scope": "address", "suppress": "dead_token"}),
        Answer.BAD_MESSAGE: Expected(kind=Rejected, members={"scope": "message"}),
        # One subscription alone does not tell whether it is the key's fault or its own: it waits.
        Answer.WRONG_SECRET: Expected(kind=Deferred),
        Answer.TOO_FAST: Expected(kind=Throttled, members={"scope": "recipient", "retry_after": _IN_7_S}),
        Answer.BUSY: Expected(kind=Deferred, members={"retry_after": _IN_7_S}),
        # The status says all; nobody reads the body.
        Answer.NONSENSE: Expected(kind=Delivered),
    },
    # One host among many, which the settings have not named: it must not close the route to the others.
    untrusted=Deferred,
)
