"""`POST /v2/email/outbound-emails` as Amazon SES has it: signed JSON in, JSON out, raw messages only."""

import binascii
import re
from base64 import b64decode
from collections.abc import Mapping
from datetime import datetime, timedelta
from email.utils import format_datetime
from itertools import count
from typing import Any

import msgspec
from fastapi import APIRouter, Request, Response

from simulators.answers import CutOff
from simulators.faults import retry_after
from simulators.mail.faults import Fault, Faults
from simulators.mail.telling import Sent, Teller
from simulators.ses import signing
from simulators.ses.signing import Account
from simulators.smtp.mailbox import Mailbox
from tocsin.clock import Clock
from tocsin.web.responses import Json

PATH = "/v2/email/outbound-emails"
_REWRITTEN = re.compile(rb"^(?:Date|Message-ID):[^\r\n]*\r\n(?:[ \t][^\r\n]*\r\n)*", re.IGNORECASE | re.MULTILINE)


class _Raw(msgspec.Struct, rename="pascal"):
    data: str


class _Content(msgspec.Struct, rename="pascal"):
    raw: _Raw


class _Destination(msgspec.Struct, rename="pascal"):
    to_addresses: tuple[str, ...]


class _Tag(msgspec.Struct, rename="pascal", forbid_unknown_fields=True):
    name: str
    value: str


class _SendEmail(msgspec.Struct, rename="pascal", forbid_unknown_fields=True):
    """What we may send of https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendEmail.html."""

    content: _Content
    destination: _Destination
    feedback_forwarding_email_address: str = ""
    configuration_set_name: str = ""
    email_tags: tuple[_Tag, ...] = ()


def router(*, account: Account, mailbox: Mailbox, faults: Faults, teller: Teller, clock: Clock) -> APIRouter:
    """Return the API of one account. It can be mounted anywhere: what is signed is the path that was called."""
    routes = APIRouter(tags=["ses simulator: Amazon's side"])
    numbers = count(1)

    def take(sent: _SendEmail, raw: bytes) -> str:
        name = f"0100018f{next(numbers):08x}-00000000-0000-4000-8000-000000000000-000000"
        mail = mailbox.receive(
            mail_from=sent.feedback_forwarding_email_address,
            recipients=sent.destination.to_addresses,
            raw=rewritten(raw, name=name, at=clock.now()),
        )
        teller.took(Sent(mail, name, {each.name: each.value for each in sent.email_tags}))
        return name

    @routes.post(PATH)
    async def send_email(request: Request) -> Response:
        """Take a mail, or refuse it as SES would."""
        body = await request.body()
        wrong = signing.refusal(
            account, method="POST", path=request.url.path, headers=request.headers, body=body, now=clock.now()
        )
        if wrong is not None:
            return _error(403, *wrong)
        try:
            sent = msgspec.json.decode(body, type=_SendEmail)
            raw = b64decode(sent.content.raw.data, validate=True)
        except (msgspec.DecodeError, UnicodeDecodeError, binascii.Error):
            return _error(400, "BadRequestException", "The input is not as it must be.")
        if len(sent.destination.to_addresses) != 1 or not sent.destination.to_addresses[0].isascii():
            return _error(400, "BadRequestException", "Invalid email address.")
        recipient = sent.destination.to_addresses[0]
        fault = faults.meet(recipient)
        # What is only slow is taken at once: a client that gives up waiting has sent it all the same.
        name = take(sent, raw) if fault is None or fault.status is None else ""
        if fault is not None and fault.delay_seconds:
            await clock.sleep(timedelta(seconds=fault.delay_seconds))
        return _answer(name, fault, clock.now())

    return routes


def rewritten(raw: bytes, *, name: str, at: datetime) -> bytes:
    """Return a message with Date and Message-ID written anew, as SES does it."""
    head, _, body = raw.partition(b"\r\n\r\n")
    ours = f"Message-ID: <{name}@email.amazonses.com>\r\nDate: {format_datetime(at)}\r\n".encode()
    return ours + _REWRITTEN.sub(b"", head + b"\r\n") + b"\r\n" + body


def _answer(name: str, fault: Fault | None, now: datetime) -> Response:
    if fault is not None and fault.drop:
        return CutOff(status_code=200)
    if fault is not None and fault.status is not None:
        return _error(fault.status, fault.error or "InternalFailure", fault.text, retry_after(fault, now))
    return Json({"MessageId": name}, headers=_request_id())


def _error(status: int, error: str, text: str, more: Mapping[str, str] | None = None) -> Response:
    headers = {**_request_id(), "x-amzn-ErrorType": error, **(more or {})}
    body: dict[str, Any] = {"message": text}
    return Json(body, status_code=status, headers=headers)


def _request_id() -> dict[str, str]:
    return {"x-amzn-RequestId": "00000000-0000-4000-8000-000000000000"}
