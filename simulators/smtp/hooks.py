"""What the server answers to each command, and what it records.

What is accepted is recorded before any waiting or hanging up: a client that did not hear the answer has sent the mail
all the same.
"""

from dataclasses import dataclass

from aiosmtpd.smtp import SMTP, Envelope, Session

from simulators.smtp.conversation import Conversation
from simulators.smtp.faults import Faults
from simulators.smtp.mailbox import Mailbox
from simulators.smtp.options import Options
from simulators.smtp.returning import Returner

_NULL_SENDER = "<>"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hooks:
    """What aiosmtpd calls at each command. The names are aiosmtpd's."""

    options: Options
    mailbox: Mailbox
    faults: Faults
    returner: Returner | None = None

    async def handle_EHLO(  # noqa: N802
        self, _server: SMTP, session: Session, _envelope: Envelope, hostname: str, lines: list[str]
    ) -> list[str]:
        """Greet back. aiosmtpd offers AUTH even where there is no account to log in to."""
        session.host_name = hostname
        return [line for line in lines if self.options.credentials or not line.startswith("250-AUTH")]

    async def handle_MAIL(  # noqa: N802
        self, server: Conversation, session: Session, envelope: Envelope, sender: str, _options: list[str]
    ) -> str:
        """Begin a mail."""
        if self.options.credentials and not session.authenticated:
            return "530 5.7.0 Authentication required"
        refusal = await server.suffer(self.faults.at("mail"))
        if refusal is None:
            envelope.mail_from = sender
        return refusal or "250 2.1.0 OK"

    async def handle_RCPT(  # noqa: N802
        self, server: Conversation, _session: Session, envelope: Envelope, recipient: str, _options: list[str]
    ) -> str:
        """Take a recipient."""
        refusal = await server.suffer(self.faults.at("rcpt", [recipient]))
        if refusal is None:
            envelope.rcpt_tos.append(recipient)
        return refusal or "250 2.1.5 OK"

    async def handle_DATA(  # noqa: N802
        self, server: Conversation, _session: Session, envelope: Envelope
    ) -> str:
        """Take the message, after its final dot."""
        fault = self.faults.at("body", envelope.rcpt_tos)
        accepted = ""
        if fault is None or fault.refusal is None:
            accepted = f"250 2.0.0 OK: queued as {self._record(envelope)}"
        return await server.suffer(fault) or accepted

    def _record(self, envelope: Envelope) -> int:
        sender = envelope.mail_from or ""
        mail = self.mailbox.receive(
            mail_from="" if sender == _NULL_SENDER else sender,
            recipients=envelope.rcpt_tos,
            raw=envelope.original_content or b"",
        )
        if self.returner is not None:
            self.returner.took(mail)
        return mail.id
