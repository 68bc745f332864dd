"""How the server presents itself to its clients."""

import hmac
import ssl
from dataclasses import dataclass, field

from aiosmtpd.smtp import LoginPassword


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """The one account that may log in."""

    user: str
    password: str = field(repr=False)

    def match(self, given: LoginPassword) -> bool:
        """Return whether these are the user and the password."""
        user = hmac.compare_digest(given.login, self.user.encode())
        return hmac.compare_digest(given.password, self.password.encode()) and user


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How the server presents itself. With `credentials` nobody sends without AUTH; after `starttls`, where given."""

    starttls: ssl.SSLContext | None = None
    credentials: Credentials | None = None
    max_message_bytes: int = 10 * 2**20
    hostname: str = "smtp.simulator.test"
