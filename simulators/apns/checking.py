"""Whether a push is as APNs wants it: the provider token first, then the headers, then the payload. Pure."""

import re
from base64 import urlsafe_b64decode
from binascii import Error as Base64Error
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from simulators.apns.credentials import KEY_ID, TEAM_ID, TOPIC

_PATH = "/3/device/"
_TOKEN = re.compile(r"(?:[0-9a-fA-F]{2}){1,200}")
_TYPES = frozenset({"alert", "background", "location", "voip", "complication", "fileprovider", "mdm", "liveactivity"})
_PRIORITIES = frozenset({"", "1", "5", "10"})
_MOST_BYTES = 4096
_MOST_COLLAPSE_ID = 64
_MOST_AGE = timedelta(hours=1)
_SIGNATURE_BYTES = 64


def device_token(path: str) -> str:
    """Return the device token of a request's path, as it is."""
    return path.removeprefix(_PATH)


def fault(headers: Mapping[str, str], body: bytes, *, key: EllipticCurvePublicKey, now: datetime) -> str | None:
    """Return Apple's reason to refuse a request, None if there is none. The order of the checks is our own."""
    if headers[":method"] != "POST":
        return "MethodNotAllowed"
    if not headers[":path"].startswith(_PATH):
        return "BadPath"
    return (
        provider_token_fault(headers.get("authorization", ""), key=key, now=now)
        or _header_fault(headers)
        or _payload_fault(body)
    )


def provider_token_fault(authorization: str, *, key: EllipticCurvePublicKey, now: datetime) -> str | None:
    """Return what is wrong with a provider token: its form, its key, its signature or its age."""
    scheme, _, token = authorization.partition(" ")
    if scheme != "bearer" or not token:
        return "MissingProviderToken"
    try:
        head, claims, signature = token.split(".")
        told = _decoded(head) | _decoded(claims)
        if told.get("alg") != "ES256" or (told.get("kid"), told.get("iss")) != (KEY_ID, TEAM_ID):
            return "InvalidProviderToken"
        key.verify(_der(signature), f"{head}.{claims}".encode(), ECDSA(SHA256()))
        age = now - datetime.fromtimestamp(int(told["iat"]), now.tzinfo)
    except (ValueError, KeyError, TypeError, OverflowError, Base64Error, InvalidSignature, msgspec.DecodeError):
        return "InvalidProviderToken"
    return None if -_MOST_AGE < age < _MOST_AGE else "ExpiredProviderToken"


def _header_fault(headers: Mapping[str, str]) -> str | None:
    topic = headers.get("apns-topic")
    wrong = {
        "MissingDeviceToken": not device_token(headers[":path"]),
        "BadDeviceToken": not _TOKEN.fullmatch(device_token(headers[":path"])),
        "MissingTopic": topic is None,
        "DeviceTokenNotForTopic": topic != TOPIC,
        "InvalidPushType": headers.get("apns-push-type") not in _TYPES,
        "BadMessageId": not _is_uuid(headers.get("apns-id", "")),
        "BadExpirationDate": not headers.get("apns-expiration", "0").isdecimal(),
        "BadPriority": headers.get("apns-priority", "") not in _PRIORITIES,
        "BadCollapseId": len(headers.get("apns-collapse-id", "").encode()) > _MOST_COLLAPSE_ID,
    }
    return next((reason for reason, holds in wrong.items() if holds), None)


def _payload_fault(body: bytes) -> str | None:
    if len(body) > _MOST_BYTES:
        return "PayloadTooLarge"
    try:
        return None if "aps" in msgspec.json.decode(body, type=dict[str, Any]) else "PayloadEmpty"
    except (msgspec.DecodeError, UnicodeDecodeError):
        return "PayloadEmpty"


def _is_uuid(text: str) -> bool:
    try:
        return not text or str(UUID(text)) == text.lower()
    except ValueError:
        return False


def _decoded(part: str) -> dict[str, Any]:
    return msgspec.json.decode(_bytes(part), type=dict[str, Any])


def _der(signature: str) -> bytes:
    raw = _bytes(signature)
    if len(raw) != _SIGNATURE_BYTES:
        raise ValueError("an ES256 signature has 64 bytes")
    half = _SIGNATURE_BYTES // 2
    return encode_dss_signature(int.from_bytes(raw[:half], "big"), int.from_bytes(raw[half:], "big"))


def _bytes(part: str) -> bytes:
    return urlsafe_b64decode(part + "=" * (-len(part) % 4))
