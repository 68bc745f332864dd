"""What Amazon SES tells of a mail later, in its events, as receipts. Pure.

Source: https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-contents.html
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from channels.email import dsn, tags
from channels.email.api import word
from channels.email.codes import Table
from channels.email.dsn import Recipient
from channels.email.receipts import IGNORED, UNMATCHED, Finding, Result, address_of, receipt, verdict

PROVIDER = "ses"


class _Kind(NamedTuple):
    result: Result
    member: str
    recipients: str


_KINDS = {
    "Bounce": _Kind("bounced", "bounce", "bouncedRecipients"),
    "Complaint": _Kind("complained", "complaint", "complainedRecipients"),
    "Delivery": _Kind("confirmed", "delivery", ""),
    "DeliveryDelay": _Kind("delayed", "deliveryDelay", "delayedRecipients"),
}
_PERMANENT = "Permanent"
# Where SES itself knows the address to be dead, whatever a server's code says, or although none was asked.
_DEAD = frozenset({"NoEmail", "Suppressed", "OnAccountSuppressionList"})
_NOT_SPAM = "not-spam"


def finding(event: Mapping[str, Any], table: Table, *, now: datetime) -> Finding:
    """Return what came of an event. `table` is that of SMTP's codes, which SES passes on."""
    kind = _KINDS.get(word(event.get("eventType")) or word(event.get("notificationType")))
    if kind is None:
        return IGNORED
    mail, told = _member(event, "mail"), _member(event, kind.member)
    # Each has several values at SES.
    values = {name: value[0] for name, value in _member(mail, "tags").items() if isinstance(value, list) and value}
    reference = tags.read(values, provider=PROVIDER)
    if reference is None:
        return UNMATCHED
    if word(told.get("complaintFeedbackType")) == _NOT_SPAM:
        return IGNORED
    recipients = [_recipient(each) for each in _listed(told, kind.recipients)]
    recipient = next((each for each in recipients if address_of(reference, each.addresses) is not None), None)
    address = None if recipient is None else address_of(reference, recipient.addresses)
    found = verdict(recipient or (recipients or [_recipient(told)])[0], table)
    dead = kind.result == "complained" or (kind.result == "bounced" and _is_dead(told, dead=found.dead))
    event_of_ours = receipt(
        kind.result,
        reference,
        provider_id=word(mail.get("messageId"))[:256],
        code=found.code or _subtype(told),
        message=_message(told, recipients),
        address=address if dead else None,
        blames_route=found.blames_route and kind.result == "bounced",
        now=now,
    )
    return Finding(kind.result, event_of_ours, mapped=found.mapped or kind.result != "bounced" or dead)


def _is_dead(told: Mapping[str, Any], *, dead: bool) -> bool:
    if word(told.get("bounceType")) != _PERMANENT:
        return False
    return dead or word(told.get("bounceSubType")) in _DEAD


def _subtype(told: Mapping[str, Any]) -> str:
    """Return what SES calls it, where there is no code."""
    kinds = ("bounceType", "bounceSubType", "delayType", "complaintFeedbackType")
    return " ".join(text for name in kinds if (text := word(told.get(name))))


def _message(told: Mapping[str, Any], recipients: Sequence[Recipient]) -> str:
    return recipients[0].diagnostic if recipients else word(told.get("smtpResponse"))


def _recipient(told: Mapping[str, Any]) -> Recipient:
    return dsn.recipient(
        action=word(told.get("action")),
        status=word(told.get("status")),
        diagnostic=word(told.get("diagnosticCode")),
        addresses=(word(told.get("emailAddress")),),
    )


def _member(document: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = document.get(name)
    return found if isinstance(found, dict) else {}


def _listed(told: Mapping[str, Any], name: str) -> Sequence[Mapping[str, Any]]:
    found = told.get(name)
    return [each for each in found[:20] if isinstance(each, dict)] if isinstance(found, list) else []
