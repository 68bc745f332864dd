"""Feedback reports: what a mailbox provider tells of mail that its users complained about (ARF, RFC 5965). Pure."""

from dataclasses import dataclass, field

from channels.email.entity import fields, first

KIND = "message/feedback-report"

_MOST_RECIPIENTS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedbackReport:
    """What is told of a message. `kind` is in lower case: abuse, fraud, virus, other, not-spam, opt-out …

    `envelope_id` and `mail_from` are those that we gave it, if they are told; `addresses` may be those of recipients.
    """

    kind: str
    envelope_id: str = field(repr=False)
    mail_from: str = field(repr=False)
    addresses: tuple[str, ...] = field(repr=False)


def read(content: bytes) -> FeedbackReport:
    """Return the report in a part of this kind."""
    told = fields(content)
    return FeedbackReport(
        kind=first(told, "feedback-type").strip().lower(),
        envelope_id=first(told, "original-envelope-id").strip(),
        mail_from=first(told, "original-mail-from"),
        addresses=tuple(text.strip("<> ") for text in told.get("original-rcpt-to", ())[:_MOST_RECIPIENTS]),
    )
