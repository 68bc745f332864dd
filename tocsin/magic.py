"""Magic recipients: addresses that say what becomes of a test that is sent to them, one table for all channels. Pure.

They cannot be anybody's: the domain `magic.invalid` will never exist (RFC 6761, section 6.4), the numbers are of the
range that the North American numbering plan keeps for fiction (555-0100 to 0199), and no push service hands out tokens
of this form. A recipient that is not magic stands for `delivered`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from tocsin.lifecycle import Event
from tocsin.outcome import Deferred, Delivered, Outcome, Rejected, Throttled, Unconfirmed

DOMAIN = "magic.invalid"
PREFIX = "magic:"

Suppressed = Literal["hard_bounce", "opt_out"]

_RETRY_AFTER = timedelta(seconds=10)
_MESSAGE = "as the magic recipient wishes"
# `magic:bounced+anything`: a whole token, or the last part of an endpoint's path, behind which its keys may stand.
_TOKEN = re.compile(r"(?:^|[:/])magic:([a-z-]+)(?:\+[\w.-]*)?(?:$| )", re.ASCII)
_HEX = PREFIX.encode().hex()
_MARK = "magic"


@dataclass(frozen=True, slots=True, kw_only=True)
class Magic:
    """What becomes of a test: the outcomes of its attempts (the last one of all further ones), and a receipt after it.

    `phone` is its number where that has one. With `suppressed` there is no attempt: the address is taken to be on the
    list for this reason.
    """

    name: str
    phone: str
    outcomes: tuple[Outcome, ...] = (Delivered(),)
    receipt: Event | None = None
    suppressed: Suppressed | None = None

    def outcome(self, attempt: int) -> Outcome:
        """Return what an attempt (1, 2, …) comes to."""
        return self.outcomes[min(attempt, len(self.outcomes)) - 1]


DELIVERED = Magic(name="delivered", phone="+12025550160")

_ALL = (
    DELIVERED,
    Magic(name="confirmed", phone="+12025550161", receipt=Event.RECEIPT_CONFIRMED),
    Magic(name="read", phone="+12025550162", receipt=Event.RECEIPT_READ),
    Magic(name="bounced", phone="+12025550163", receipt=Event.RECEIPT_FAILED),
    Magic(name="complained", phone="+12025550164", receipt=Event.RECEIPT_COMPLAINED),
    Magic(name="opted-out", phone="+12025550165", receipt=Event.RECEIPT_OPTED_OUT),
    Magic(
        name="rejected-address",
        phone="+12025550166",
        outcomes=(Rejected(reason="unknown_address", scope="address", message=_MESSAGE),),
    ),
    Magic(
        name="rejected-message",
        phone="+12025550167",
        outcomes=(Rejected(reason="content_refused", scope="message", message=_MESSAGE),),
    ),
    Magic(
        name="deferred-once",
        phone="+12025550168",
        outcomes=(Deferred(cause="temporary", message=_MESSAGE), Delivered()),
    ),
    Magic(name="deferred", phone="+12025550169", outcomes=(Deferred(cause="temporary", message=_MESSAGE),)),
    Magic(
        name="throttled-once",
        phone="+12025550170",
        outcomes=(Throttled(scope="account", retry_after=_RETRY_AFTER, message=_MESSAGE), Delivered()),
    ),
    Magic(name="unconfirmed", phone="+12025550171", outcomes=(Unconfirmed(phase="response", message=_MESSAGE),)),
    Magic(name="suppressed", phone="+12025550172", suppressed="hard_bounce"),
)
ALL: Mapping[str, Magic] = {each.name: each for each in _ALL}
_PHONES: Mapping[str, str] = {each.phone: each.name for each in _ALL}


def name_of(address: str) -> str | None:
    """Return the name that a delivery's address has as a magic one, known or not; None if it is not magic."""
    if _MARK in address:
        return _of_mailbox(address) or _of_token(address)
    if _HEX in address:
        return _of_hex(address)
    return _PHONES.get(address)


def of(address: str) -> Magic:
    """Return what becomes of a test that is sent to an address."""
    return ALL.get(name_of(address) or DELIVERED.name, DELIVERED)


def _of_mailbox(address: str) -> str | None:
    local, at, domain = address.rpartition("@")
    return local.partition("+")[0].lower() if at and domain == DOMAIN else None


def _of_token(text: str) -> str | None:
    found = _TOKEN.search(text)
    return found[1] if found else None


def _of_hex(address: str) -> str | None:
    """Return the name in a token that has to be hexadecimal, as those of APNs."""
    try:
        return _of_token(bytes.fromhex(address.rpartition(":")[2]).decode())
    except ValueError:
        return None
