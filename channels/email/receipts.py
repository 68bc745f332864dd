"""What is told later of a mail, as audit events: by mail that came back, or by a provider that calls. Pure.

An event is believed for the reference that came with it, and the address is only named where it is the one that this
mail went to. The same told twice is the same event.
"""

import re
from collections.abc import Iterable
from datetime import datetime
from itertools import islice
from typing import Literal, NamedTuple

from channels.email.address import MOST_OCTETS, parse
from channels.email.codes import Table, redacted
from channels.email.dsn import Recipient
from channels.email.reference import CHANNEL, Reference
from tocsin import receipts
from tocsin.lifecycle import AuditEvent, Event
from tocsin.outcome import Rejected

Result = Literal["bounced", "delayed", "confirmed", "complained", "opted_out", "ignored", "unmatched"]

_EVENTS: dict[Result, Event] = {
    "bounced": Event.RECEIPT_FAILED,
    "delayed": Event.RECEIPT_DELAYED,
    "confirmed": Event.RECEIPT_CONFIRMED,
    "complained": Event.RECEIPT_COMPLAINED,
    "opted_out": Event.RECEIPT_OPTED_OUT,
}
_MOST_CODE = 64
_MOST_ADDRESSES = 40
_STATUS = re.compile(r"(?<![\d.])[245]\.\d{1,3}\.\d{1,3}(?![\d.])")
_TEMPORARY = "4"


class Finding(NamedTuple):
    """What came of it: a word, its receipt if there is one, and whether the table knew its code."""

    result: Result
    event: AuditEvent | None = None
    mapped: bool = True


class Verdict(NamedTuple):
    """What a table says of a recipient: the code as it was told, is the address dead, is the provider to blame for the
    failure (`tocsin.receipts`), and did it know the code?
    """

    code: str
    dead: bool
    blames_route: bool
    mapped: bool


UNMATCHED = Finding("unmatched")
IGNORED = Finding("ignored")


def verdict(recipient: Recipient, table: Table) -> Verdict:
    """Return what the table of SMTP's codes says of a recipient."""
    status = _status(recipient)
    outcome, mapped = table.classify(_code(recipient, status), f"{status} {recipient.diagnostic}", "rcpt")
    return Verdict(
        code=" ".join(filter(None, (str(recipient.code or ""), status))),
        dead=isinstance(outcome, Rejected) and outcome.suppress is not None,
        blames_route=isinstance(outcome, Rejected) and outcome.scope == "route",
        mapped=mapped,
    )


def address_of(reference: Reference, texts: Iterable[str]) -> str | None:
    """Return the one of these addresses that the reference's delivery was to, None if none is."""
    for text in islice(texts, _MOST_ADDRESSES):
        found = parse(text) if len(text) <= MOST_OCTETS else None
        if isinstance(found, str) and reference.is_of(found):
            return found
    return None


def receipt(
    result: Result,
    reference: Reference,
    *,
    provider_id: str,
    code: str,
    message: str,
    address: str | None,
    blames_route: bool = False,
    now: datetime,
) -> AuditEvent:
    """Return the receipt. `code` and `message` are the provider's, as they are; an `address` gets suppressed.

    Raises KeyError for a result that has no event.
    """
    data = {
        "channel": CHANNEL,
        "provider": reference.provider,
        "provider_id": provider_id,
        "code": redacted(code)[:_MOST_CODE],
        "message": redacted(message),
    }
    return receipts.receipt(
        _EVENTS[result],
        delivery_id=reference.delivery_id,
        notification_id=reference.notification_id,
        tenant=reference.tenant,
        life=reference.life,
        provider_id=provider_id,
        time=now,
        data=data | ({} if address is None else {"address": address}) | ({"scope": "route"} if blames_route else {}),
    )


def _status(recipient: Recipient) -> str:
    """Return the status: the diagnostic's, where the report's own says nothing but its class (as exim's does)."""
    if recipient.status and not recipient.status.endswith(".0.0"):
        return recipient.status
    found = _STATUS.search(recipient.diagnostic[:64])
    if found is None or (recipient.status and found[0][0] != recipient.status[0]):
        return recipient.status
    return found[0]


def _code(recipient: Recipient, status: str) -> int:
    """Return the reply code, made up where none is told, or is of another class: the server gave up over a 4yz."""
    told = str(recipient.code)
    kind = status[:1] or told[:1]
    if told[:1] == kind:
        return recipient.code
    return 450 if kind == _TEMPORARY else 550
