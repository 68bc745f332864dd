"""`POST /emails` as Resend has it: JSON in, JSON out, one mail for each idempotency key."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from itertools import count
from uuid import UUID

import msgspec
from fastapi import APIRouter, Request, Response

from simulators.answers import CutOff
from simulators.faults import retry_after
from simulators.mail.faults import Fault, Faults
from simulators.mail.telling import Sent, Teller
from simulators.resend import message
from simulators.resend.idempotency import Conflict, Keys
from simulators.resend.message import Email
from simulators.smtp.mailbox import Mailbox
from tocsin.clock import Clock
from tocsin.web.responses import Json

_MOST_KEY = 256
_CONFLICTS = {
    Conflict.MODIFIED: "This idempotency key has been used on this endpoint with another request body.",
    Conflict.CONCURRENT: "There is another request in progress with the same idempotency key.",
}


class Api:
    """One account."""

    def __init__(self, *, api_key: str, mailbox: Mailbox, faults: Faults, teller: Teller, clock: Clock) -> None:
        self._api_key = api_key
        self._mailbox = mailbox
        self._faults = faults
        self._teller = teller
        self._clock = clock
        self._keys = Keys(now=clock.now)
        self._numbers = count(1)
        self.router = APIRouter(tags=["resend simulator: Resend's side"])
        self.router.add_api_route("/emails", self._send, methods=["POST"])

    async def _send(self, request: Request) -> Response:
        """Take a mail, or refuse it as Resend would."""
        if (refusal := self._unauthorized(request)) is not None:
            return refusal
        body = await request.body()
        email = _read(body)
        if isinstance(email, Response):
            return email
        key = request.headers.get("idempotency-key")
        if key is None:
            return (await self._taken(email, self._faults.meet(email.to[0])))[0]
        if not 0 < len(key) <= _MOST_KEY:
            return _error(400, "invalid_idempotency_key", "The key must be between 1-256 chars.")
        return await self._once(key, body, email)

    async def _once(self, key: str, body: bytes, email: Email) -> Response:
        """Answer the first use of a key, and later ones as that."""
        begun = self._keys.begin(key, body)
        if isinstance(begun, Conflict):
            return _error(409, begun.value, _CONFLICTS[begun])
        if begun is not None:
            return Json({"id": begun})
        taken: str | None = None
        try:
            answer, taken = await self._taken(email, self._faults.meet(email.to[0]))
        finally:
            self._keys.end(key, taken)
        return answer

    async def _taken(self, email: Email, fault: Fault | None) -> tuple[Response, str | None]:
        """Return the answer to an email, and the id of the mail if it was taken."""
        name = None
        if fault is None or fault.status is None:
            name = str(UUID(int=next(self._numbers), version=4))
            try:
                raw = message.composed(email, name=name, at=self._clock.now())
            except ValueError:
                return _error(422, "validation_error", "The email cannot be made."), None
            mail = self._mailbox.receive(mail_from=email.sender, recipients=email.to, raw=raw)
            self._teller.took(Sent(mail, name, {each.name: each.value for each in email.tags}))
        if fault is not None and fault.delay_seconds:
            await self._clock.sleep(timedelta(seconds=fault.delay_seconds))
        if fault is not None and fault.status is not None:
            return _refused(fault.status, fault, self._clock.now()), None
        if fault is not None and fault.drop:
            return CutOff(status_code=200), name
        return Json({"id": name}), name

    def _unauthorized(self, request: Request) -> Response | None:
        if "user-agent" not in request.headers:
            return Response("error code: 1010", status_code=403, media_type="text/plain")
        scheme, _, key = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not key:
            return _error(401, "missing_api_key", "Missing API key in the authorization header.")
        if key != self._api_key:
            return _error(403, "invalid_api_key", "API key is invalid.")
        return None


def _read(body: bytes) -> Email | Response:
    try:
        email = msgspec.json.decode(body, type=Email)
    except msgspec.ValidationError as error:
        return _error(422, "missing_required_field", str(error))
    except (msgspec.DecodeError, UnicodeDecodeError):
        return _error(400, "validation_error", "The body is not JSON.")
    if not email.to or not all(each.isascii() and "@" in each for each in email.to):
        return _error(422, "validation_error", "Invalid `to` field.")
    if email.html is None and email.text is None:
        return _error(422, "validation_error", "Missing `html` or `text` field.")
    return email


def _refused(status: int, fault: Fault, now: datetime) -> Response:
    limits = {}
    if fault.retry_after_seconds is not None:
        limits = {"ratelimit-remaining": "0", "ratelimit-reset": str(fault.retry_after_seconds)}
    return _error(status, fault.error or "application_error", fault.text, {**retry_after(fault, now), **limits})


def _error(status: int, name: str, text: str, headers: Mapping[str, str] | None = None) -> Response:
    return Json({"statusCode": status, "name": name, "message": text}, status_code=status, headers=headers)
