"""What the HTTP email APIs share: a call and what it comes to where there is no answer, and how answers are read."""

from collections.abc import Mapping
from typing import Any, Protocol

import msgspec

from channels.email.mail import Mail
from channels.provider import Claim
from tocsin.clock import Clock
from tocsin.errors import SettingsError
from tocsin.net import origin
from tocsin.net.client import Client
from tocsin.net.http import Answer, HttpClient, NotSent, Request, Unanswered
from tocsin.outcome import Deferred, Misconfigured, Rejected, Unconfirmed


class Connecting(Protocol):
    """The settings of any of them."""

    @property
    def connections(self) -> int: ...

    @property
    def connect_timeout_seconds(self) -> float: ...


def client(key: str, url: str, settings: Connecting, clock: Clock) -> Client:
    """Return the HTTP client of one account. Plain HTTP is for simulators: who configures it, wants it.

    Raises SettingsError that names `key`, the setting that holds the URL.
    """
    plain = url.startswith("http://")
    try:
        origin.parse(url, allow_plain=plain)
    except ValueError as error:
        raise SettingsError(f"{key}: {error}") from None
    return Client(
        connections=settings.connections,
        monotonic=clock.monotonic,
        allow_plain=plain,
        connect_timeout_seconds=settings.connect_timeout_seconds,
    )


async def call(
    http: HttpClient, request: Request, *, deadline: float, claim: Claim
) -> Answer | Deferred | Misconfigured | Unconfirmed:
    """Make a call; return its answer, or what it means that there is none."""
    try:
        return await http.send(request, deadline=deadline, claim=claim)
    except NotSent as error:
        if error.ours:
            return Misconfigured(detail=error.cause, code=error.cause)
        return Deferred(cause=error.cause, code=error.cause)
    except Unanswered as error:
        return Unconfirmed(phase=error.phase, message="the provider did not answer")


def obstacle(mail: Mail) -> Rejected | None:
    """Return why no such API takes a mail: they know no addresses outside ASCII (RFC 6531) before the @."""
    if not mail.needs_smtputf8:
        return None
    return Rejected(
        reason="smtputf8_not_supported",
        scope="route",
        message="the provider does not take addresses outside ASCII (SMTPUTF8)",
    )


def document(body: bytes) -> Mapping[str, Any]:
    """Return the JSON object that a body is; an empty one for anything else."""
    try:
        found = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def word(value: Any) -> str:
    """Return a value of an answer if it is a text, else an empty one."""
    return value if isinstance(value, str) else ""
