"""Signature Version 4 against the vectors that AWS published (aws-sig-v4-test-suite)."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from channels.email import sigv4

SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
TOKEN = (
    "AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWLWsKWHGBuFqwAeMicRXmxfpSPfIeoIYRqTflfKD8YUuwthAx7"
    "mSEI/qkPpKPi/kMcGdQrmGdeehM4IC1NtBmUpp2wUE8phUZampKsburEDy0KPkyQDYwT7WZ0wq5VSXDvp75YU9HFvlRd8Tx6q6fE8YQcHNVXAkiY9q6d"
    "+xo0rKwT38xVqr7ZD0u0iPPkUL64lIZbqBAz+scqKmlzm8FDrypNC9Yjc8fPOLn9FX9KSYvKTr4rvx3iSIlTJabIQwj2ICCR/oLxBA=="
)
NOW = datetime(2015, 8, 30, 12, 36, tzinfo=UTC)
SCOPE = sigv4.Scope(region="us-east-1", service="service")


def signed(
    method: str = "POST",
    *,
    path: str = "/",
    headers: dict[str, str] | None = None,
    body: bytes = b"",
    token: str | None = None,
    now: datetime = NOW,
) -> dict[str, str]:
    return sigv4.headers(
        method=method,
        host="example.amazonaws.com",
        path=path,
        headers=headers or {},
        body=body,
        credentials=sigv4.Credentials(access_key_id="AKIDEXAMPLE", secret_access_key=SECRET, session_token=token),
        scope=SCOPE,
        now=now,
    )


def authorization(names: str, signature: str) -> str:
    given = f"AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders={names}, Signature={signature}"
    return f"AWS4-HMAC-SHA256 Credential={given}"


FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.mark.parametrize(
    ("method", "headers", "body", "names", "signature"),
    [
        ("GET", {}, b"", "host;x-amz-date", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
        ("POST", {}, b"", "host;x-amz-date", "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"),
        (
            "POST",
            FORM,
            b"Param1=value1",
            "content-type;host;x-amz-date",
            "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a",
        ),
        (
            "GET",
            {"My-Header1": " value1", "My-Header2": '"a   b   c"'},
            b"",
            "host;my-header1;my-header2;x-amz-date",
            "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736",
        ),
        (
            "POST",
            {"My-Header1": "value1"},
            b"",
            "host;my-header1;x-amz-date",
            "c5410059b04c1ee005303aed430f6e6645f61f4dc9e1461ec8f8916fdf18852c",
        ),
    ],
    ids=["get-vanilla", "post-vanilla", "post-x-www-form-urlencoded", "get-header-value-trim", "post-header-key-sort"],
)
def test_a_published_vector(method: str, headers: dict[str, str], body: bytes, names: str, signature: str) -> None:
    found = signed(method, headers=headers, body=body)

    assert found["Authorization"] == authorization(names, signature)
    assert found["X-Amz-Date"] == "20150830T123600Z"


def test_a_session_token_is_signed() -> None:
    """The vector post-sts-header-before."""
    found = signed(token=TOKEN)

    assert found["X-Amz-Security-Token"] == TOKEN
    assert found["Authorization"] == authorization(
        "host;x-amz-date;x-amz-security-token", "85d96828115b5dc0cfc3bd16ad9e210dd772bbebba041836c64533a82be05ead"
    )


def test_a_path_is_escaped_once_more() -> None:
    """Of a path with an escape, what AWS computes has it escaped twice."""
    assert signed(path="/a%20b") != signed(path="/a b")
    assert signed(path="/v2/email/outbound-emails") != signed(path="/")


def test_time_is_told_in_utc() -> None:
    assert signed(now=NOW.astimezone(timezone(timedelta(hours=9)))) == signed()


def test_a_secret_is_not_shown() -> None:
    made = sigv4.Credentials(access_key_id="AKIDEXAMPLE", secret_access_key=SECRET, session_token=TOKEN)

    assert SECRET not in repr(made)
    assert TOKEN not in repr(made)
    assert all(SECRET not in value for value in signed(token=TOKEN).values())
