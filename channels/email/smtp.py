"""The provider: one SMTP server, reached over pooled connections with TLS."""

import re
import ssl
from collections.abc import Callable

from channels.email import codes
from channels.email.dial import Credentials, Dialler, reading
from channels.email.dialogue import Dialogue, obstacle
from channels.email.mail import Mail
from channels.email.pool import Connection, Pool, PoolPolicy
from channels.email.return_path import ReturnPaths
from channels.email.settings import EmailSettings
from channels.provider import Capabilities, Claim
from tocsin.errors import NotClaimed, SettingsError
from tocsin.net.backoff import BackoffPolicy
from tocsin.net.trust import trusting
from tocsin.outcome import Delivered, Outcome
from tocsin.settings.secrets import secret

_HELO_NAME = re.compile(r"[A-Za-z0-9.:\[\]_-]{1,255}")


class SmtpProvider:
    """Implements `channels.provider.Provider` for messages of type `Mail`.

    Reads the CA and password files once. Raises SettingsError if they cannot be read, or the settings contradict
    each other. `on_unmapped` gets each reply code that the table of codes does not know. With `return_paths` each mail
    gets an envelope sender of its own.
    """

    def __init__(
        self,
        settings: EmailSettings,
        *,
        monotonic: Callable[[], float],
        on_unmapped: Callable[[str], None],
        return_paths: ReturnPaths | None = None,
        name: str = "smtp",
    ) -> None:
        self._name = name
        self._settings = settings
        self._return_paths = return_paths
        self._read = reading(codes.load(), on_unmapped)
        dialler = Dialler(
            settings=settings,
            context=_tls_context(settings),
            credentials=_credentials(settings),
            read=self._read,
        )
        self._pool = Pool(
            policy=_pool_policy(settings),
            backoff=BackoffPolicy(first=settings.backoff_seconds, longest=settings.backoff_max_seconds),
            dial=dialler.dial,
            monotonic=monotonic,
        )

    @property
    def name(self) -> str:
        """The route's name."""
        return self._name

    @property
    def capabilities(self) -> Capabilities:
        """SMTP has no idempotency, and receipts with return paths only; as many messages at a time as connections."""
        ours = self._settings
        return ours.applied_to(Capabilities(receipts=self._return_paths is not None, max_in_flight=ours.connections))

    async def send(self, message: Mail, *, key: str, deadline: float, claim: Claim) -> Outcome:
        """Send one mail, as the port demands. `key` goes into its return path: nothing in SMTP is idempotent.

        Where no connection can be had, or the server's greeting rules the mail out (size, SMTPUTF8), nothing leaves
        and the claim is not awaited.
        """
        taken = await self._pool.take(deadline)
        if not isinstance(taken, Connection):
            return taken
        healthy = False
        try:
            if self._return_paths is not None:
                message = self._return_paths.signed(message, key, provider=self._name)
            refusal = obstacle(taken.wire, message)
            if refusal is not None:
                healthy = True
                return refusal
            await claim()
            taken.fresh = False
            taken.messages += 1
            dialogue = Dialogue(
                taken.wire,
                deadline=deadline,
                command_timeout=self._settings.command_timeout_seconds,
                read=self._read,
            )
            outcome, healthy = await dialogue.send(message)
            taken.fresh = isinstance(outcome, Delivered)
        except NotClaimed:
            healthy = True
            raise
        else:
            return outcome
        finally:
            if healthy:
                self._pool.give_back(taken)
            else:
                self._pool.discard(taken)

    async def aclose(self) -> None:
        """Hang up on all connections."""
        await self._pool.aclose()


def _pool_policy(settings: EmailSettings) -> PoolPolicy:
    if settings.helo_name is not None and not _HELO_NAME.fullmatch(settings.helo_name):
        raise SettingsError("email.helo_name must be a host name like mail.example.com")
    if settings.connections < 1 or settings.messages_per_connection < 1:
        raise SettingsError("email.connections and email.messages_per_connection must be at least 1")
    return PoolPolicy(
        connections=settings.connections,
        messages=settings.messages_per_connection,
        age=settings.connection_age_seconds,
        idle=settings.idle_seconds,
        probe_after=settings.probe_after_seconds,
        probe_timeout=settings.command_timeout_seconds,
    )


def _tls_context(settings: EmailSettings) -> ssl.SSLContext | None:
    if settings.tls == "none":
        if settings.ca_file is not None:
            raise SettingsError('email.ca_file is set, but email.tls is "none": set "starttls" or "implicit"')
        return None
    return trusting(settings.ca_file, key="email.ca_file")


def _credentials(settings: EmailSettings) -> Credentials | None:
    password = secret(settings.password, settings.password_file, key="email.password")
    if settings.username is None:
        if password is not None:
            raise SettingsError("email.password is set, but email.username is not")
        return None
    if settings.tls == "none":
        raise SettingsError('email.username needs TLS: set email.tls to "starttls" or "implicit"')
    if password is None:
        raise SettingsError("email.username is set: set email.password_file (or email.password) too")
    return Credentials(username=settings.username, password=password)
