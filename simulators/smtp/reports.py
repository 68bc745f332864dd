"""What a server tells later of a mail that it took, as messages to the mail's return path. Pure.

Delivery status notifications are as RFC 3464 has them, complaints as RFC 5965 does.
"""

from collections.abc import Callable
from fnmatch import fnmatchcase
from typing import Literal, NamedTuple, get_args

from simulators.smtp.mailbox import Mail

Kind = Literal["bounced", "full", "delayed", "complained"]
KINDS: tuple[Kind, ...] = get_args(Kind)

_BOUNDARY = "report/smtp.simulator.test"
# A recipient whose local part says so gets it: `bounced@example.test`, or `bounced+1@example.test`.
_NAMED: tuple[tuple[str, Kind], ...] = (
    ("bounced", "bounced"),
    ("bounced-full", "full"),
    ("delayed", "delayed"),
    ("complained", "complained"),
)


class _Told(NamedTuple):
    action: str
    status: str
    diagnostic: str


_TOLD: dict[Kind, _Told] = {
    "bounced": _Told("failed", "5.1.1", "smtp; 550 5.1.1 <{recipient}>: No such user"),
    "full": _Told("failed", "5.2.2", "smtp; 552 5.2.2 <{recipient}>: Mailbox full"),
    "delayed": _Told("delayed", "4.4.1", "smtp; 451 4.4.1 The host does not answer"),
}


def kind_for(recipient: str) -> Kind | None:
    """Return what is told later of a mail to this recipient, None if nothing is."""
    address = recipient.lower()
    return next(
        (kind for name, kind in _NAMED if fnmatchcase(address, f"{name}@*") or address.startswith(f"{name}+")), None
    )


def report(kind: Kind, mail: Mail, recipient: str) -> bytes:
    """Return the message. It goes to the mail's sender, from nobody."""
    made: Callable[[Mail, str], str] = _complaint if kind == "complained" else lambda *of: _status(_TOLD[kind], *of)
    head, _, _ = mail.raw.partition(b"\r\n\r\n")
    text = f"From: MAILER-DAEMON@smtp.simulator.test\nTo: <{mail.mail_from}>\nAuto-Submitted: auto-replied\n"
    returned = f"\n--{_BOUNDARY}\nContent-Type: text/rfc822-headers\n\n"
    start, end = (
        each.replace("\n", "\r\n").encode()
        for each in (text + made(mail, recipient) + returned, f"\n--{_BOUNDARY}--\n")
    )
    return start + head + end


def _status(told: _Told, _mail: Mail, recipient: str) -> str:
    return (
        f'Content-Type: multipart/report; report-type=delivery-status; boundary="{_BOUNDARY}"\n\n'
        f"--{_BOUNDARY}\nContent-Type: message/delivery-status\n\n"
        f"Reporting-MTA: dns; smtp.simulator.test\n\n"
        f"Final-Recipient: rfc822; {recipient}\nAction: {told.action}\nStatus: {told.status}\n"
        f"Diagnostic-Code: {told.diagnostic.format(recipient=recipient)}\n"
    )


def _complaint(mail: Mail, recipient: str) -> str:
    return (
        f'Content-Type: multipart/report; report-type=feedback-report; boundary="{_BOUNDARY}"\n\n'
        f"--{_BOUNDARY}\nContent-Type: message/feedback-report\n\n"
        f"Feedback-Type: abuse\nUser-Agent: Tocsin-Simulator/1\nVersion: 1\n"
        f"Original-Mail-From: <{mail.mail_from}>\nOriginal-Rcpt-To: <{recipient}>\n"
    )
