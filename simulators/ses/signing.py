"""Is a request signed as AWS wants it? Signature Version 4, read from the request's own words. Pure.

Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

import hmac
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import NamedTuple
from urllib.parse import quote

_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(?P<id>[^/,]+)/(?P<day>\d{8})/(?P<region>[^/,]+)/(?P<service>[^/,]+)/aws4_request, ?"
    r"SignedHeaders=(?P<names>[a-z0-9;-]+), ?Signature=(?P<signature>[0-9a-f]{64})"
)
_OFF = timedelta(minutes=5)


class Refusal(NamedTuple):
    """Why a request is not believed: all are answered with 403."""

    error: str
    text: str


class Account(NamedTuple):
    """Who may call."""

    region: str
    access_key_id: str
    secret_access_key: str


def refusal(
    account: Account, *, method: str, path: str, headers: Mapping[str, str], body: bytes, now: datetime
) -> Refusal | None:
    """Return why a request is refused, None if its signature is right. The names of `headers` are in lower case."""
    if "authorization" not in headers:
        return Refusal("MissingAuthenticationTokenException", "Missing Authentication Token")
    found = _AUTHORIZATION.fullmatch(headers["authorization"])
    if found is None or not {"host", "x-amz-date"} <= set(found["names"].split(";")):
        return Refusal("IncompleteSignatureException", "Authorization header is not as it must be.")
    if found["id"] != account.access_key_id:
        return Refusal("UnrecognizedClientException", "The security token included in the request is invalid.")
    at = headers.get("x-amz-date", "")
    if not _near(at, now):
        return Refusal("InvalidSignatureException", "Signature expired or not yet current.")
    scope = (found["day"], found["region"], found["service"])
    lines = [f"{name}:{' '.join(headers.get(name, '').split())}" for name in found["names"].split(";")]
    escaped = quote(path, safe="/-_.~")
    request = "\n".join([method, escaped, "", *lines, "", found["names"], sha256(body).hexdigest()])
    text = "\n".join(["AWS4-HMAC-SHA256", at, "/".join([*scope, "aws4_request"]), sha256(request.encode()).hexdigest()])
    right = scope == (at[:8], account.region, "ses") and hmac.compare_digest(
        hmac.new(_key(account.secret_access_key, *scope), text.encode(), sha256).hexdigest(), found["signature"]
    )
    if right:
        return None
    return Refusal("InvalidSignatureException", "The request signature we calculated does not match the signature.")


def _near(at: str, now: datetime) -> bool:
    try:
        moment = datetime.strptime(at, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        return False
    return abs(moment - now) <= _OFF


def _key(secret: str, day: str, region: str, service: str) -> bytes:
    key = f"AWS4{secret}".encode()
    for part in (day, region, service, "aws4_request"):
        key = hmac.new(key, part.encode(), sha256).digest()
    return key
