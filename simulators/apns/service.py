"""The service behind the connections: one push in, its answer out, and what it keeps. Knows no HTTP/2."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import msgspec

from simulators.apns import checking, reasons
from simulators.apns.behaviour import Behaviour
from simulators.apns.credentials import Credentials
from simulators.apns.faults import Fault, Faults
from simulators.apns.inbox import Inbox
from simulators.faults import retry_after
from tocsin.clock import Clock, Timer, to_ms

_OK = 200
_GONE = 410


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What is answered, after a delay: a status, and the body that says why."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    delay: timedelta = timedelta()


class Service:
    """APNs itself, for one app. `behaviour` may be replaced while it runs."""

    def __init__(self, credentials: Credentials, *, clock: Clock) -> None:
        self.credentials = credentials
        self.inbox = Inbox(now=clock.now)
        self.faults = Faults()
        self.behaviour = Behaviour()
        self.connections = 0
        self._clock = clock
        self._key = credentials.key.public_key()

    def authenticates(self, headers: Mapping[str, str]) -> bool:
        """Return whether a request proves that it comes from the app's provider."""
        given = headers.get("authorization", "")
        return checking.provider_token_fault(given, key=self._key, now=self._clock.now()) is None

    def answer(self, headers: Mapping[str, str], body: bytes) -> Answer | Fault:
        """Take a push and return the answer, or the fault to carry out instead of one."""
        reason = checking.fault(headers, body, key=self._key, now=self._clock.now())
        token = checking.device_token(headers[":path"])
        fault = None if reason else self.faults.meet(token)
        if fault is not None and fault.refuse_stream:
            return fault
        if reason or (fault is not None and fault.reason):
            return self._refusal(reason or str(fault.reason if fault else ""), fault)
        if asked := reasons.asked(token):
            return self._refusal(asked, None)
        self.inbox.receive(token=token, headers=headers, payload=msgspec.json.decode(body))
        if fault is not None and not fault.delay_seconds:
            return fault
        delay = timedelta(seconds=fault.delay_seconds if fault is not None else 0)
        return Answer(status=_OK, headers={"apns-id": headers.get("apns-id", "").upper()}, delay=delay)

    def later(self, delay: timedelta, act: Callable[[], None]) -> Timer:
        """Act after a delay by the clock of the service."""
        return self._clock.call_at(self._clock.now() + delay, act)

    def _refusal(self, reason: str, fault: Fault | None) -> Answer:
        status = reasons.STATUS_OF[reason]
        said: dict[str, Any] = {"reason": reason}
        if status == _GONE:
            said["timestamp"] = to_ms(self._clock.now())
        asked = {} if fault is None else retry_after(fault, self._clock.now())
        # HTTP/2 has names in lower case only (RFC 9113, section 8.2).
        headers = {name.lower(): value for name, value in asked.items()}
        return Answer(status=status, body=msgspec.json.encode(said), headers=headers)
