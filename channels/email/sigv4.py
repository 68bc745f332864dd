"""AWS Signature Version 4, for requests without a query. Pure.

Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import quote

_ALGORITHM = "AWS4-HMAC-SHA256"


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """Who signs. `session_token` comes with credentials that are for a time only."""

    access_key_id: str
    secret_access_key: str = field(repr=False)
    session_token: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """Where a signature holds, such as `eu-central-1` and `ses`."""

    region: str
    service: str


def headers(
    *,
    method: str,
    host: str,
    path: str,
    headers: Mapping[str, str],
    body: bytes,
    credentials: Credentials,
    scope: Scope,
    now: datetime,
) -> dict[str, str]:
    """Return the request's headers with those that sign it. `host` is what the client says in `Host`.

    All headers are signed. `path` is as it goes over the wire; `now` is aware, and may be off by five minutes at AWS.
    """
    at = now.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
    sent = {**headers, "X-Amz-Date": at}
    if credentials.session_token is not None:
        sent["X-Amz-Security-Token"] = credentials.session_token
    signed = {name.lower(): " ".join(value.split()) for name, value in {**sent, "Host": host}.items()}
    names = ";".join(sorted(signed))
    request = "\n".join(
        [
            method,
            # Once more than it is escaped already: every service but S3 wants it so.
            quote(path, safe="/~"),
            "",
            *(f"{name}:{signed[name]}" for name in sorted(signed)),
            "",
            names,
            hashlib.sha256(body).hexdigest(),
        ]
    )
    place = f"{at[:8]}/{scope.region}/{scope.service}/aws4_request"
    text = "\n".join([_ALGORITHM, at, place, hashlib.sha256(request.encode()).hexdigest()])
    signature = hmac.digest(_key(credentials, place), text.encode(), "sha256").hex()
    given = f"Credential={credentials.access_key_id}/{place}, SignedHeaders={names}, Signature={signature}"
    return {**sent, "Authorization": f"{_ALGORITHM} {given}"}


def _key(credentials: Credentials, place: str) -> bytes:
    """Return the key that holds for a day, a region and a service."""
    key = b"AWS4" + credentials.secret_access_key.encode()
    for part in place.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key
