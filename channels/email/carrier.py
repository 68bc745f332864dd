"""Email at work: what the channel hands to the delivery path."""

from collections.abc import Callable, Sequence

from channels.email.address import Mailbox, parse, parse_mailbox
from channels.email.headers import Unsendable, encode_mailbox
from channels.email.mail import Mail
from channels.email.render import Renderer
from channels.email.settings import EmailSettings
from channels.email.smtp import SmtpProvider
from channels.provider import Provider
from tocsin.delivery import Delivery
from tocsin.errors import SettingsError
from tocsin.outcome import Rejected
from tocsin.templates.catalogue import Catalogue
from tocsin.validation import Fault


class EmailCarrier:
    """Implements `channels.provider.Carrier`: one sender, one SMTP route.

    `monotonic` returns seconds (`Clock.monotonic`); `on_unmapped` gets each SMTP reply code that the table of codes
    does not know, for a metric. Raises SettingsError.
    """

    def __init__(
        self,
        settings: EmailSettings,
        catalogue: Catalogue,
        *,
        monotonic: Callable[[], float],
        on_unmapped: Callable[[str], None],
    ) -> None:
        sender = _sender(settings.sender)
        domain = sender.address.rpartition("@")[2]
        self._renderer = Renderer(
            catalogue=catalogue,
            sender=sender,
            return_path=_address("return_path", settings.return_path) or sender.address,
            message_id_domain=_domain(settings.message_id_domain) or domain,
        )
        self._smtp = SmtpProvider(settings, monotonic=monotonic, on_unmapped=on_unmapped)

    @property
    def providers(self) -> Sequence[Provider]:
        """The one provider."""
        return (self._smtp,)

    def candidates(self, delivery: Delivery) -> Sequence[str]:  # noqa: ARG002 - it takes every mail
        """Return the name of the one provider."""
        return (self._smtp.name,)

    async def render(self, delivery: Delivery) -> Mail | Rejected:
        """Return the mail of this delivery, or why there can be none."""
        return self._renderer.render(delivery)

    async def aclose(self) -> None:
        """Close the route's connections."""
        await self._smtp.aclose()


def _sender(text: str) -> Mailbox:
    found = parse_mailbox(text)
    if isinstance(found, Fault):
        raise SettingsError(f"email.sender {found.detail}")
    try:
        encode_mailbox("From", found)
    except Unsendable as error:
        raise SettingsError(f"email.sender: {error}") from error
    return found


def _address(key: str, text: str | None) -> str | None:
    found = None if text is None else parse(text)
    if isinstance(found, Fault):
        raise SettingsError(f"email.{key} {found.detail}")
    return found


def _domain(text: str | None) -> str | None:
    found = None if text is None else parse(f"x@{text}")
    if isinstance(found, Fault):
        raise SettingsError("email.message_id_domain must be a domain name like example.com")
    return None if found is None else found.rpartition("@")[2]
