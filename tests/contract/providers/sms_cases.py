"""The providers of SMS under contract."""

import base64
from datetime import timedelta
from functools import partial
from pathlib import Path
from urllib.parse import parse_qs

from tests.contract.providers.harness import Answer, Case, Expected, Sections
from tests.contract.providers.http_peer import http_peer
from tests.support.http_server import Reply
from tests.unit.email.http_sending import reply
from tocsin.outcome import Misconfigured, Rejected, Throttled, Unconfirmed

_SID = "AC0123"
_NUMBER = "+12025550143"


def _twilio_settings(port: int, secret: Path) -> Sections:
    account = {"account_sid": _SID, "auth_token_file": str(secret), "sender": "+12025550100"}
    return {"sms": {"routes": ["twilio"]}, "twilio": {**account, "base_url": f"https://127.0.0.1:{port}"}}


def _twilio_refusal(status: int, code: int, **headers: str) -> Reply:
    return reply(status, {"code": code, "message": "no", "status": status}, **headers)


def _vonage_settings(port: int, secret: Path) -> Sections:
    account = {"api_key": "key", "api_secret_file": str(secret), "sender": "Shop"}
    return {"sms": {"routes": ["vonage"]}, "vonage": {**account, "base_url": f"https://127.0.0.1:{port}"}}


def _vonage_part(status: str, **headers: str) -> Reply:
    return reply(200, {"message-count": "1", "messages": [{"status": status, "error-text": "no"}]}, **headers)


TWILIO = Case(
    name="twilio",
    channel="sms",
    serving=partial(
        http_peer,
        taken=lambda number: reply(201, {"sid": f"SM{number}", "status": "queued", "error_code": None}),
        replies={
            Answer.NO_SUCH_ADDRESS: _twilio_refusal(400, 21211),
            Answer.BAD_MESSAGE: _twilio_refusal(400, 21617),
            Answer.WRONG_SECRET: _twilio_refusal(401, 20003),
            Answer.TOO_FAST: _twilio_refusal(429, 20429, Retry_After="7"),
            Answer.BUSY: Reply(status=503),
            Answer.NONSENSE: reply(201, ["<html>"]),
        },
    ),
    settings=_twilio_settings,
    secrets=lambda: ("first-secret", "second-secret"),
    proves=lambda sent, secret: (
        sent.headers["authorization"] == "Basic " + base64.b64encode(f"{_SID}:{secret}".encode()).decode()
    ),
    taken=lambda number: f"SM{number}",
    address=lambda _port: _NUMBER,
    content={"text": "Hello"},
    expected={
        Answer.NO_SUCH_ADDRESS: Expected(kind=Rejected, members={"scope": "address", "suppress": "hard_bounce"}),
        Answer.BAD_MESSAGE: Expected(kind=Rejected, members={"scope": "message"}),
        Answer.WRONG_SECRET: Expected(kind=Misconfigured),
        Answer.TOO_FAST: Expected(kind=Throttled, members={"scope": "account", "retry_after": timedelta(seconds=7)}),
        Answer.BUSY: Expected(kind=Unconfirmed),
        Answer.NONSENSE: Expected(kind=Unconfirmed),
    },
)

VONAGE = Case(
    name="vonage",
    channel="sms",
    serving=partial(
        http_peer,
        taken=lambda number: reply(200, {"messages": [{"status": "0", "message-id": f"N{number}"}]}),
        replies={
            Answer.NO_SUCH_ADDRESS: _vonage_part("6"),
            Answer.BAD_MESSAGE: _vonage_part("3"),
            Answer.WRONG_SECRET: _vonage_part("4"),
            Answer.TOO_FAST: _vonage_part("1", Retry_After="7"),
            Answer.BUSY: Reply(status=503),
            Answer.NONSENSE: reply(200, ["<html>"]),
        },
    ),
    settings=_vonage_settings,
    secrets=lambda: ("first-secret", "second-secret"),
    proves=lambda sent, secret: (
        parse_qs(sent.body.decode()).get("api_secret") == [secret]
        or sent.headers.get("authorization") == "Basic " + base64.b64encode(f"key:{secret}".encode()).decode()
    ),
    taken=lambda number: f"N{number}",
    address=lambda _port: _NUMBER,
    content={"text": "Hello"},
    expected={
        Answer.NO_SUCH_ADDRESS: Expected(kind=Rejected, members={"scope": "address"}),
        # It does not say which parameter it is: another provider may take the message.
        Answer.BAD_MESSAGE: Expected(kind=Rejected, members={"scope": "route"}),
        Answer.WRONG_SECRET: Expected(kind=Misconfigured),
        Answer.TOO_FAST: Expected(kind=Throttled, members={"scope": "account", "retry_after": timedelta(seconds=7)}),
        Answer.BUSY: Expected(kind=Unconfirmed),
        Answer.NONSENSE: Expected(kind=Unconfirmed),
    },
)
