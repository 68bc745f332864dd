"""Email at work: what the channel hands to the delivery path."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from channels.email import ses
from channels.email.address import Mailbox, parse, parse_mailbox
from channels.email.bounces_settings import BouncesSettings, return_paths
from channels.email.headers import Unsendable, encode_mailbox
from channels.email.mail import Mail
from channels.email.render import Renderer
from channels.email.resend import ResendProvider
from channels.email.resend_settings import ResendSettings
from channels.email.ses import SesProvider
from channels.email.ses_settings import SesSettings
from channels.email.settings import EmailSettings
from channels.email.smtp import SmtpProvider
from channels.email.unsubscribe_settings import links
from channels.provider import Provider
from tocsin.clock import Clock
from tocsin.delivery import Delivery
from tocsin.errors import SettingsError
from tocsin.outcome import Rejected
from tocsin.templates.catalogue import Catalogue
from tocsin.validation import Fault

if TYPE_CHECKING:
    from channels.email.dkim import Signer

Unmapped = Callable[[str, str], None]


class EmailCarrier:
    """Implements `channels.provider.Carrier`: one sender, and the providers that `email.routes` names, in that order.

    `public_url` is where links to unsubscribe lead. `on_unmapped` gets a provider's name and a code of it that its
    table does not know, for a metric. Raises SettingsError.
    """

    def __init__(
        self,
        settings: EmailSettings,
        catalogue: Catalogue,
        *,
        ses_settings: SesSettings,
        resend_settings: ResendSettings,
        bounces_settings: BouncesSettings | None = None,
        public_url: str = "",
        clock: Clock,
        on_unmapped: Unmapped,
    ) -> None:
        sender = _sender(settings.sender)
        domain = sender.address.rpartition("@")[2]
        paths = return_paths(bounces_settings or BouncesSettings())
        self._renderer = Renderer(
            catalogue=catalogue,
            sender=sender,
            return_path=_address("return_path", settings.return_path) or sender.address,
            message_id_domain=_domain(settings.message_id_domain) or domain,
            signer=_signer(settings, domain),
            links=links(settings, public_url=public_url),
            in_parts="resend" in settings.routes,
        )
        made: dict[str, Callable[[], Provider]] = {
            "smtp": lambda: SmtpProvider(
                settings,
                monotonic=clock.monotonic,
                on_unmapped=partial(on_unmapped, "smtp"),
                return_paths=paths,
            ),
            "ses": lambda: SesProvider(
                ses_settings, clock=clock, on_unmapped=partial(on_unmapped, "ses"), return_paths=paths
            ),
            "resend": lambda: ResendProvider(resend_settings, clock=clock, on_unmapped=partial(on_unmapped, "resend")),
        }
        self._routes = settings.routes
        self._providers = tuple(made[name]() for name in settings.routes)

    @property
    def providers(self) -> Sequence[Provider]:
        """The providers, the preferred first."""
        return self._providers

    def candidates(self, delivery: Delivery) -> Sequence[str]:  # noqa: ARG002 - it takes every mail
        """Return the names of all, the preferred first."""
        return self._routes

    async def render(self, delivery: Delivery) -> Mail | Rejected:
        """Return the mail of this delivery, or why there can be none."""
        return self._renderer.render(delivery)

    async def aclose(self) -> None:
        """Close the providers' connections."""
        for provider in self._providers:
            await provider.aclose()


def _signer(settings: EmailSettings, sender_domain: str) -> "Signer | None":
    if settings.dkim_key_file is settings.dkim_selector is settings.dkim_domain is None:
        return None
    # The library that signs is several megabytes.
    from channels.email import dkim_settings  # noqa: PLC0415

    unsigned = ses.REWRITTEN if "ses" in settings.routes else ()
    return dkim_settings.signer(settings, sender_domain=sender_domain, unsigned=unsigned)


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
