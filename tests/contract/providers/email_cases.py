"""The providers of email under contract."""

from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from channels.email import sigv4
from tests.contract.providers.harness import Answer, Case, Expected, Sections, Sent
from tests.contract.providers.http_peer import http_peer
from tests.contract.providers.smtp_peer import USERNAME, login, smtp_peer
from tests.unit.email.http_sending import reply
from tocsin.outcome import Deferred, Delivered, Misconfigured, Rejected, Throttled, Unconfirmed

_CONTENT = {"subject": "Hello", "text": "Hello"}
_SENDER = {"sender": "Shop <no-reply@shop.example>"}
_IN_7_S = {"scope": "account", "retry_after": timedelta(seconds=7)}


def _smtp_settings(port: int, secret: Path) -> Sections:
    server = {"host": "127.0.0.1", "port": port, "helo_name": "client.example.com", "connections": 4}
    return {"email": {**server, "username": USERNAME, "password_file": str(secret), **_SENDER}}


def _ses_settings(port: int, secret: Path) -> Sections:
    account = {"region": "eu-central-1", "access_key_id": "AKIAEXAMPLE", "secret_access_key_file": str(secret)}
    return {"email": {"routes": ["ses"], **_SENDER}, "ses": {**account, "base_url": f"https://127.0.0.1:{port}"}}


def ses_proves(sent: Sent, secret: str, *, key_id: str = "AKIAEXAMPLE") -> bool:
    """Return whether a message was signed with this key."""
    expected = sigv4.headers(
        method="POST",
        host=sent.headers["host"],
        path="/v2/email/outbound-emails",
        headers={"Content-Type": "application/json"},
        body=sent.body,
        credentials=sigv4.Credentials(access_key_id=key_id, secret_access_key=secret),
        scope=sigv4.Scope(region="eu-central-1", service="ses"),
        now=datetime.strptime(sent.headers["x-amz-date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC),
    )
    return sent.headers["authorization"] == expected["Authorization"]


def _resend_settings(port: int, secret: Path) -> Sections:
    account = {"api_key_file": str(secret), "base_url": f"https://127.0.0.1:{port}"}
    return {"email": {"routes": ["resend"], **_SENDER}, "resend": account}


SMTP = Case(
    name="smtp",
    channel="email",
    serving=smtp_peer,
    settings=_smtp_settings,
    secrets=lambda: ("first-secret", "second-secret"),
    proves=lambda sent, secret: sent.login == login(secret),
    taken=lambda number: f"N{number}",
    address=lambda _port: "ada@example.com",
    content=_CONTENT,
    expected={
        Answer.NO_SUCH_ADDRESS: Expected(kind=Rejected, members={"scope": "address", "suppress": "hard_bounce"}),
        Answer.BAD_MESSAGE: Expected(kind=Rejected, members={"scope": "message"}),
        # Before there is a connection to claim for.
        Answer.WRONG_SECRET: Expected(kind=Misconfigured, sends=0, claims=0),
        Answer.TOO_FAST: Expected(kind=Throttled, members={"scope": "account", "retry_after": None}),
        Answer.BUSY: Expected(kind=Deferred),
        # A code that says yes, whatever its words.
        Answer.NONSENSE: Expected(kind=Delivered),
    },
)

SES = Case(
    name="ses",
    channel="email",
    serving=partial(
        http_peer,
        taken=lambda number: reply(200, {"MessageId": f"N{number}"}),
        replies={
            Answer.NO_SUCH_ADDRESS: reply(400, {"message": "no"}, x_amzn_ErrorType="BadRequestException"),
            Answer.BAD_MESSAGE: reply(400, {"message": "no"}, x_amzn_ErrorType="MessageRejected"),
            Answer.WRONG_SECRET: reply(403, {"message": "no"}, x_amzn_ErrorType="InvalidSignatureException"),
            Answer.TOO_FAST: reply(429, {}, x_amzn_ErrorType="TooManyRequestsException", Retry_After="7"),
            Answer.BUSY: reply(503, {"message": "no"}),
            Answer.NONSENSE: reply(200, ["<html>"]),
        },
    ),
    settings=_ses_settings,
    secrets=lambda: ("first-secret", "second-secret"),
    proves=ses_proves,
    taken=lambda number: f"N{number}",
    address=lambda _port: "ada@example.com",
    content=_CONTENT,
    expected={
        # SES takes every address, and says later that it bounced.
        Answer.NO_SUCH_ADDRESS: Expected(kind=Rejected, members={"scope": "message"}),
        Answer.BAD_MESSAGE: Expected(kind=Rejected, members={"scope": "message"}),
        Answer.WRONG_SECRET: Expected(kind=Misconfigured),
        Answer.TOO_FAST: Expected(kind=Throttled, members=_IN_7_S),
        Answer.BUSY: Expected(kind=Unconfirmed),
        Answer.NONSENSE: Expected(kind=Unconfirmed),
    },
)

RESEND = Case(
    name="resend",
    channel="email",
    serving=partial(
        http_peer,
        taken=lambda number: reply(200, {"id": f"N{number}"}),
        replies={
            Answer.NO_SUCH_ADDRESS: reply(422, {"name": "validation_error", "message": "`to` is no address"}),
            Answer.BAD_MESSAGE: reply(422, {"name": "invalid_attachment"}),
            Answer.WRONG_SECRET: reply(403, {"name": "invalid_api_key"}),
            Answer.TOO_FAST: reply(429, {"name": "rate_limit_exceeded"}, Retry_After="7"),
            Answer.BUSY: reply(503, {}, Retry_After="7"),
            Answer.NONSENSE: reply(200, ["<html>"]),
        },
    ),
    settings=_resend_settings,
    secrets=lambda: ("first-secret", "second-secret"),
    proves=lambda sent, secret: sent.headers["authorization"] == f"Bearer {secret}",
    taken=lambda number: f"N{number}",
    address=lambda _port: "ada@example.com",
    content=_CONTENT,
    expected={
        Answer.NO_SUCH_ADDRESS: Expected(kind=Rejected, members={"scope": "message"}),
        Answer.BAD_MESSAGE: Expected(kind=Rejected, members={"scope": "message"}),
        Answer.WRONG_SECRET: Expected(kind=Misconfigured),
        Answer.TOO_FAST: Expected(kind=Throttled, members=_IN_7_S),
        # Idempotent: the same call may be made again.
        Answer.BUSY: Expected(kind=Deferred, members={"retry_after": timedelta(seconds=7)}),
        Answer.NONSENSE: Expected(kind=Unconfirmed),
    },
)
