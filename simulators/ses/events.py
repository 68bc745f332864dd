"""What SES publishes of a mail, as JSON. Pure.

Source: https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-examples.html
"""

from typing import Any

import msgspec

from simulators.mail.telling import Kind, Sent
from tocsin.clock import rfc3339


def event(kind: Kind, sent: Sent) -> str:
    """Return the event."""
    recipient = sent.mail.recipients[0]
    mail = {
        "timestamp": rfc3339(sent.mail.at),
        "messageId": sent.provider_id,
        "source": sent.mail.mail_from,
        "destination": [recipient],
        "tags": {name: [value] for name, value in sent.tags.items()},
    }
    return msgspec.json.encode({**_told(kind, recipient), "mail": mail}).decode()


def _told(kind: Kind, recipient: str) -> dict[str, Any]:
    if kind == "bounced":
        return _bounce("Permanent", "General", recipient, "5.1.1", "smtp; 550 5.1.1 user unknown")
    if kind == "full":
        return _bounce("Transient", "MailboxFull", recipient, "5.2.2", "smtp; 552 5.2.2 mailbox full")
    if kind == "delayed":
        told = {"emailAddress": recipient, "status": "4.4.1", "diagnosticCode": "smtp; 421 4.4.1 Unable to connect"}
        delay = {"delayType": "TransientCommunicationFailure", "delayedRecipients": [told]}
        return {"eventType": "DeliveryDelay", "deliveryDelay": delay}
    if kind == "complained":
        complaint = {"complainedRecipients": [{"emailAddress": recipient}], "complaintFeedbackType": "abuse"}
        return {"eventType": "Complaint", "complaint": complaint}
    return {"eventType": "Delivery", "delivery": {"recipients": [recipient], "smtpResponse": "250 2.6.0 Accepted"}}


def _bounce(kind: str, subtype: str, recipient: str, status: str, diagnostic: str) -> dict[str, Any]:
    told = {"emailAddress": recipient, "action": "failed", "status": status, "diagnosticCode": diagnostic}
    bounce = {"bounceType": kind, "bounceSubType": subtype, "bouncedRecipients": [told]}
    return {"eventType": "Bounce", "bounce": bounce}
