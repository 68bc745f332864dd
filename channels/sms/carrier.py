"""SMS at work: what the channel hands to the delivery path."""

from collections.abc import Callable, Sequence

from channels.provider import Provider
from channels.sms.message import Sms
from channels.sms.render import Renderer
from channels.sms.settings import SmsSettings, TwilioSettings, VonageSettings
from channels.sms.terms import Terms
from channels.sms.twilio import TwilioProvider
from channels.sms.vonage import VonageProvider
from tocsin.clock import Clock
from tocsin.delivery import Delivery
from tocsin.errors import SettingsError
from tocsin.net import origin
from tocsin.net.client import Client
from tocsin.outcome import Rejected
from tocsin.templates.catalogue import Catalogue

Unmapped = Callable[[str, str], None]


class SmsCarrier:
    """Implements `channels.provider.Carrier`: the providers that `sms.routes` names, in that order.

    `public_url` is where they reach us; empty, they tell us nothing. `on_unmapped` gets a provider's name and a code of
    it that its table does not know. Raises SettingsError.
    """

    def __init__(
        self,
        settings: SmsSettings,
        *,
        twilio: TwilioSettings,
        vonage: VonageSettings,
        public_url: str,
        catalogue: Catalogue,
        clock: Clock,
        on_unmapped: Unmapped,
    ) -> None:
        self._routes = settings.routes
        self._renderer = Renderer(catalogue=catalogue, terms=Terms.of(settings), regions=frozenset(settings.regions))
        made: dict[str, Callable[[], Provider]] = {
            "twilio": lambda: TwilioProvider(
                twilio,
                http=_client("twilio", twilio, clock),
                clock=clock,
                public_url=public_url,
                on_unmapped=lambda code: on_unmapped("twilio", code),
            ),
            "vonage": lambda: VonageProvider(
                vonage,
                http=_client("vonage", vonage, clock),
                clock=clock,
                public_url=public_url,
                on_unmapped=lambda code: on_unmapped("vonage", code),
            ),
        }
        self._providers = tuple(made[name]() for name in settings.routes)

    @property
    def providers(self) -> Sequence[Provider]:
        """The providers, the preferred first."""
        return self._providers

    def candidates(self, delivery: Delivery) -> Sequence[str]:  # noqa: ARG002 - each takes every text
        """Return the names of all, the preferred first."""
        return self._routes

    async def render(self, delivery: Delivery) -> Sms | Rejected:
        """Return the message of this delivery, or why there can be none."""
        return self._renderer.render(delivery)

    async def aclose(self) -> None:
        """Close the providers' connections."""
        for provider in self._providers:
            await provider.aclose()


def _client(section: str, settings: TwilioSettings | VonageSettings, clock: Clock) -> Client:
    """Return the HTTP client of one account. Plain HTTP is for simulators: who configures it, wants it."""
    plain = settings.base_url.startswith("http://")
    try:
        origin.parse(settings.base_url, allow_plain=plain)
    except ValueError as error:
        raise SettingsError(f"{section}.base_url: {error}") from error
    return Client(
        connections=settings.connections,
        monotonic=clock.monotonic,
        allow_plain=plain,
        connect_timeout_seconds=settings.connect_timeout_seconds,
    )
