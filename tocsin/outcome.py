"""What one attempt came to: six values, and nothing else, leave a provider adapter.

`code` is the provider's own code (an SMTP reply with its enhanced status, an HTTP status with its error name);
`message` is its text, already cut to 512 characters and without addresses or contents.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivered:
    """The provider took the message and said so. `provider_id` is the name it gave it."""

    provider_id: str | None = None
    code: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    """Final. `address`: this address will not work; `message`: this message will not; `route`: not through here.

    `suppress`: the provider says that nothing is to be sent to the address any more, for this reason
    (`store.suppressions.Reason`).
    """

    reason: str
    scope: Literal["address", "message", "route"]
    code: str = ""
    message: str = ""
    suppress: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Deferred:
    """Not taken, and worth another try later. The provider has surely not taken it."""

    cause: str
    retry_after: timedelta | None = None
    code: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Throttled:
    """Not taken because we send too fast for `scope`."""

    scope: Literal["account", "sender", "recipient", "domain", "connection"]
    retry_after: timedelta | None = None
    code: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Misconfigured:
    """Our settings are at fault, not the message. It is no attempt; it closes the route and alarms."""

    detail: str
    code: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unconfirmed:
    """Bytes left us and no answer came back: the provider may or may not have taken it. `phase` says where."""

    phase: str
    code: str = ""
    message: str = ""


Outcome = Delivered | Rejected | Deferred | Throttled | Misconfigured | Unconfirmed


def name(outcome: Outcome) -> str:
    """Return the outcome's word, as audit events, metrics and headers carry it."""
    return type(outcome).__name__.lower()
