"""The return path: an envelope sender of each mail's own, to which bounces come back (VERP, signed). Pure."""

import re

from msgspec.structs import replace

from channels.email.mail import Mail
from channels.email.reference import CHARACTERS, Reference, References

PREFIX = "bounce+"


class ReturnPaths:
    """Makes and reads the addresses `bounce+<token>@<domain>`."""

    def __init__(self, references: References, *, domain: str) -> None:
        self.references = references
        self._domain = domain
        # Not from the start of the text: it may stand in angle brackets, or behind a name.
        self._address = re.compile(
            rf"(?<![A-Za-z0-9.+_-]){re.escape(PREFIX)}([0-9a-z]{{{CHARACTERS}}})@{re.escape(domain)}(?![A-Za-z0-9.-])",
            re.IGNORECASE,
        )

    def of(self, reference: Reference) -> str | None:
        """Return the address, None where the reference has no token."""
        token = self.references.write(reference)
        return None if token is None else f"{PREFIX}{token}@{self._domain}"

    def signed(self, mail: Mail, key: str, *, provider: str) -> Mail:
        """Return the mail with a return path of its own, as it is where it can have none. `key` is the port's."""
        token = self.references.write(Reference.of(mail, key, provider=provider))
        if token is None:
            return mail
        return replace(
            mail,
            sender=f"{PREFIX}{token}@{self._domain}",
            envelope_id=token,
            needs_smtputf8=mail.needs_smtputf8 and not _all_ascii(mail),
        )

    def read(self, text: str) -> Reference | None:
        """Return the reference in an address, or in a header field that has one; None if there is none of ours."""
        found = self._address.search(text)
        return None if found is None else self.references.read(found[1])


def _all_ascii(mail: Mail) -> bool:
    """Return whether the addresses that stay are ASCII: the recipient, and those in the header."""
    return mail.recipient.isascii() and mail.data.partition(b"\r\n\r\n")[0].isascii()
