"""`POST /sms/json` as Vonage has it: form or JSON in, 200 with a status for each part out, receipts afterwards."""

import base64
import binascii
from collections.abc import Mapping, Sequence
from datetime import timedelta
from itertools import count
from typing import Any
from urllib.parse import parse_qsl

import msgspec
from fastapi import APIRouter, Request, Response

from simulators.answers import CutOff
from simulators.faults import retry_after
from simulators.sms import answers
from simulators.sms.callbacks import Caller, form
from simulators.sms.control import Inbound
from simulators.sms.faults import Fault, Faults, Receipt
from simulators.sms.texts import Text, Texts
from simulators.vonage.signing import signed
from tocsin.clock import Clock, to_ms

_USUAL = (Receipt(status="accepted"), Receipt(status="delivered", code=0))
# Characters of one part of a longer text. Which of them count double is not looked at.
_ALONE, _PART = {"text": 160, "unicode": 70}, {"text": 153, "unicode": 67}


class Api:
    """One account. `signature_secret` signs what is called back."""

    def __init__(
        self,
        *,
        key: str,
        secret: str,
        signature_secret: str,
        texts: Texts,
        faults: Faults,
        caller: Caller,
        clock: Clock,
    ) -> None:
        self._login = (key, secret)
        self._signature_secret = signature_secret
        self._texts = texts
        self._faults = faults
        self._caller = caller
        self._clock = clock
        self._written = count(1)
        self.router = APIRouter(tags=["vonage simulator"])
        self.router.add_api_route("/sms/json", self._create, methods=["POST"])

    async def write(self, inbound: Inbound) -> int | None:
        """Have somebody write to us; return the status that we answered."""
        newest = next((text for text in self._texts.newest() if text.callback), None)
        url = inbound.url or (newest.callback.removesuffix("/status") + "/inbound" if newest else "")
        fields = {
            "msisdn": inbound.sender.removeprefix("+"),
            "to": newest.sender if newest else "",
            "messageId": f"0D{next(self._written):014X}",
            "text": inbound.text,
            "type": "text",
            **self._stamp(),
        }
        return await self._caller.ask(form(url, signed(fields, secret=self._signature_secret)))

    async def _create(self, request: Request) -> Response:
        """Take a text, or refuse it."""
        told = _parameters(request, await request.body())
        if _login(request, told) != self._login:
            return _refused([(4, "Bad Credentials")])
        missing = next((name for name in ("from", "to", "text") if not told.get(name)), None)
        if missing:
            return _refused([(2, f"Missing {missing} param")])
        recipient = "+" + told["to"]
        return await self._answer(recipient, told, self._faults.meet(recipient))

    async def _answer(self, recipient: str, told: Mapping[str, str], fault: Fault | None) -> Response:
        if fault is not None and fault.delay_seconds:
            await self._clock.sleep(timedelta(seconds=fault.delay_seconds))
        if fault is not None and fault.status is not None:
            headers = retry_after(fault, self._clock.now())
            return answers.json({"type": "about:blank", "title": fault.text}, status=fault.status, headers=headers)
        parts = _count(told)
        if fault is not None and fault.code is not None and not (fault.partly and parts > 1):
            return _refused([(fault.code, fault.text)] * parts)
        taken = 1 if fault is not None and fault.code is not None else parts
        text = self._texts.take(
            provider_id=f"0C{self._texts.next_number():012X}",
            sender=told["from"],
            recipient=recipient,
            text=told["text"],
            callback=told.get("callback", ""),
            reference=told.get("client-ref", ""),
        )
        self._call_back(text, taken, _USUAL if fault is None or fault.receipts is None else fault.receipts)
        if fault is not None and fault.drop:
            return CutOff(status_code=200)
        accepted = [_accepted(text, part) for part in range(taken)]
        refused = [] if fault is None else [_part(fault.code or 0, fault.text)] * (parts - taken)
        return _answered([*accepted, *refused])

    def _call_back(self, text: Text, parts: int, receipts: tuple[Receipt, ...]) -> None:
        if not text.callback:
            return
        told = [
            {
                "msisdn": text.recipient.removeprefix("+"),
                "to": text.sender,
                "messageId": _part_id(text, part),
                "status": receipt.status,
                "err-code": str(receipt.code or 0),
                "client-ref": text.reference,
                **self._stamp(),
            }
            for receipt in receipts
            for part in range(parts)
        ]
        self._caller.call([form(text.callback, signed(each, secret=self._signature_secret)) for each in told])

    def _stamp(self) -> dict[str, str]:
        now = self._clock.now()
        return {"message-timestamp": now.strftime("%Y-%m-%d %H:%M:%S"), "timestamp": str(to_ms(now) // 1000)}


def _parameters(request: Request, raw: bytes) -> Mapping[str, str]:
    if request.headers.get("content-type", "").startswith("application/json"):
        try:
            return {name: str(value) for name, value in msgspec.json.decode(raw, type=dict[str, Any]).items()}
        except (msgspec.DecodeError, UnicodeDecodeError):
            return {}
    return dict(parse_qsl(raw.decode("utf-8", "replace"), keep_blank_values=True))


def _login(request: Request, told: Mapping[str, str]) -> tuple[str, str]:
    """Return key and secret, as they are given: by header or among the parameters."""
    scheme, _, login = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return told.get("api_key", ""), told.get("api_secret", "")
    try:
        key, _, secret = base64.b64decode(login, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    return key, secret


def _count(told: Mapping[str, str]) -> int:
    kind = told.get("type", "text")
    length = len(told["text"])
    return 1 if length <= _ALONE.get(kind, 70) else -(-length // _PART.get(kind, 67))


def _part_id(text: Text, part: int) -> str:
    return f"{text.provider_id}{part:02X}"


def _accepted(text: Text, part: int) -> dict[str, str]:
    return {
        "to": text.recipient.removeprefix("+"),
        "message-id": _part_id(text, part),
        "status": "0",
        "remaining-balance": "10.00000000",
        "message-price": "0.03330000",
        "network": "12345",
        "client-ref": text.reference,
    }


def _part(code: int, text: str) -> dict[str, str]:
    return {"status": str(code), "error-text": text}


def _refused(parts: Sequence[tuple[int, str]]) -> Response:
    return _answered([_part(code, text) for code, text in parts])


def _answered(parts: Sequence[Mapping[str, str]]) -> Response:
    return answers.json({"message-count": str(len(parts)), "messages": parts})
