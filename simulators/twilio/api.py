"""`POST /2010-04-01/Accounts/{sid}/Messages.json` as Twilio has it: form in, JSON out, callbacks afterwards."""

import base64
import binascii
from collections.abc import Mapping
from datetime import timedelta
from email.utils import format_datetime
from itertools import count
from typing import Any
from urllib.parse import parse_qsl

from fastapi import APIRouter, Request, Response

from simulators.answers import CutOff
from simulators.faults import retry_after
from simulators.sms import answers
from simulators.sms.callbacks import Caller
from simulators.sms.control import Inbound
from simulators.sms.faults import Fault, Faults, Receipt
from simulators.sms.texts import Text, Texts
from simulators.twilio.signing import signed
from tocsin.clock import Clock

_MOST_CHARACTERS = 1600
_USUAL = (Receipt(status="sent"), Receipt(status="delivered"))
_API_KEY = "SK"


class Api:
    """One account. `auth_token` is asked for, and signs what is called back."""

    def __init__(self, *, auth_token: str, texts: Texts, faults: Faults, caller: Caller, clock: Clock) -> None:
        self._auth_token = auth_token
        self._texts = texts
        self._faults = faults
        self._caller = caller
        self._clock = clock
        self._stopped: set[str] = set()
        self._written = count(1)
        self.router = APIRouter(tags=["twilio simulator"])
        self.router.add_api_route("/2010-04-01/Accounts/{account}/Messages.json", self._create, methods=["POST"])

    async def write(self, inbound: Inbound) -> int | None:
        """Have somebody write to us; return the status that we answered."""
        newest = next((text for text in self._texts.newest() if text.callback), None)
        head = newest.callback.partition("/status/")[0] if newest else ""
        url = inbound.url or f"{head}/inbound"
        word = inbound.text.strip().upper()
        if word == "STOP":
            self._stopped.add(inbound.sender)
        elif word == "START":
            self._stopped.discard(inbound.sender)
        fields = {
            "MessageSid": f"SM{next(self._written):031x}f",
            "From": inbound.sender,
            "To": newest.sender if newest else "",
            "Body": inbound.text,
        }
        return await self._caller.ask(signed(url, fields, auth_token=self._auth_token))

    async def _create(self, account: str, request: Request) -> Response:
        """Take a text, or refuse it."""
        form = dict(parse_qsl((await request.body()).decode("utf-8", "replace"), keep_blank_values=True))
        if not self._authentic(request, account):
            return _error(401, 20003, "Authenticate")
        if wrong := _wrong_with(form):
            return _error(400, *wrong)
        if form["To"] in self._stopped:
            return _error(400, 21610, "Attempt to send to unsubscribed recipient")
        return await self._answer(account, form, self._faults.meet(form["To"]))

    async def _answer(self, account: str, form: Mapping[str, str], fault: Fault | None) -> Response:
        if fault is not None and fault.delay_seconds:
            await self._clock.sleep(timedelta(seconds=fault.delay_seconds))
        if fault is not None and fault.refuses:
            return _error(fault.status or 400, fault.code, fault.text, retry_after(fault, self._clock.now()))
        text = self._texts.take(
            provider_id=f"SM{self._texts.next_number():032x}",
            sender=form.get("From") or form["MessagingServiceSid"],
            recipient=form["To"],
            text=form["Body"],
            callback=form.get("StatusCallback", ""),
        )
        usual = fault is None or fault.receipts is None
        self._call_back(account, text, _USUAL if usual or fault is None else fault.receipts or ())
        if fault is not None and fault.drop:
            return CutOff(status_code=201)
        return answers.json(_message(account, form, text), status=201)

    def _call_back(self, account: str, text: Text, receipts: tuple[Receipt, ...]) -> None:
        if not text.callback:
            return
        told = [
            {
                "AccountSid": account,
                "ApiVersion": "2010-04-01",
                "From": text.sender,
                "To": text.recipient,
                "MessageSid": text.provider_id,
                "SmsSid": text.provider_id,
                "MessageStatus": receipt.status,
                "SmsStatus": receipt.status,
                **({} if receipt.code is None else {"ErrorCode": str(receipt.code)}),
            }
            for receipt in receipts
        ]
        self._caller.call([signed(text.callback, fields, auth_token=self._auth_token) for fields in told])

    def _authentic(self, request: Request, account: str) -> bool:
        """Return whether a login is right: the account with its token, or any API key."""
        scheme, _, login = request.headers.get("authorization", "").partition(" ")
        try:
            user, _, password = base64.b64decode(login, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return False
        known = (user == account and password == self._auth_token) or user.startswith(_API_KEY)
        return scheme.lower() == "basic" and known


def _wrong_with(form: Mapping[str, str]) -> tuple[int, str] | None:
    if not form.get("To"):
        return 21604, "A 'To' phone number is required."
    if not form.get("From") and not form.get("MessagingServiceSid"):
        return 21603, "A 'From' or 'MessagingServiceSid' parameter is required."
    if not form.get("Body"):
        return 21602, "Message body is required."
    if len(form["Body"]) > _MOST_CHARACTERS:
        return 21617, "The concatenated message body exceeds the 1600 character limit."
    return None


def _message(account: str, form: Mapping[str, str], text: Text) -> dict[str, Any]:
    service = form.get("MessagingServiceSid")
    return {
        "sid": text.provider_id,
        "account_sid": account,
        "api_version": "2010-04-01",
        "body": text.text,
        "date_created": format_datetime(text.at),
        "date_sent": None,
        "date_updated": format_datetime(text.at),
        "direction": "outbound-api",
        "error_code": None,
        "error_message": None,
        "from": form.get("From"),
        "messaging_service_sid": service,
        "num_media": "0",
        "num_segments": "0" if service else "1",
        "price": None,
        "price_unit": "USD",
        "status": "accepted" if service else "queued",
        "to": text.recipient,
        "uri": f"/2010-04-01/Accounts/{account}/Messages/{text.provider_id}.json",
    }


def _error(status: int, code: int | None, text: str, headers: Mapping[str, str] | None = None) -> Response:
    body: dict[str, Any] = {"code": code, "message": text, "status": status}
    if code is None:
        del body["code"]
    else:
        body["more_info"] = f"https://www.twilio.com/docs/errors/{code}"
    return answers.json(body, status=status, headers=headers)
