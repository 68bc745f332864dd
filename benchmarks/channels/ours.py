"""Our side: a delivery is rendered by the channel's carrier and sent by its provider, as the delivery path does it.

python -m benchmarks.channels.ours <channel> <port> <count> <directory>
"""

import asyncio
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import uvloop

from benchmarks.channels import measure, subscriptions, texts
from channels.browser.channel import channel as browser
from channels.browser.subscription import Subscription
from channels.email.channel import channel as email
from channels.provider import Carrier
from channels.push.channel import channel as push
from channels.sms.channel import channel as sms
from simulators.apns.credentials import KEY_ID, TEAM_ID, TOPIC
from simulators.fcm import account
from tocsin.delivery import Delivery, Lane, Person, TemplateRef
from tocsin.observe.metrics import Metrics
from tocsin.outcome import Delivered
from tocsin.runtime.clock import SystemClock
from tocsin.runtime.service import CarrierContext, Channel
from tocsin.settings.sections import Http
from tocsin.settings.values import Settings
from tocsin.templates import catalogue

# So many are under way at a time; APNs has one connection for all of them.
_IN_FLIGHT, _IN_FLIGHT_APNS = 16, 100
_PATIENCE_SECONDS = 60.0

_Sections = Mapping[str, Mapping[str, Any]]


class Sending:
    """A channel at work, without the gateway around it."""

    def __init__(self, channel: Channel[Carrier], sections: _Sections, address: Callable[[int], str]) -> None:
        templates = catalogue.load(texts.TEMPLATES, default_locale=texts.LOCALE)
        found = templates.current(texts.TEMPLATE)
        if found is None:
            raise LookupError(texts.TEMPLATE)
        self._template = TemplateRef(name=found.name, version=found.version)
        kinds = {"http": Http, **channel.settings}
        made = {name: msgspec.convert(sections.get(name, {}), kind) for name, kind in kinds.items()}
        context = CarrierContext(
            settings=Settings(made, {}),
            clock=SystemClock(),
            random=Random(),  # noqa: S311 - spreads retries, guards nothing
            metrics=Metrics(version="0"),
            templates=templates,
        )
        self.carrier = channel.carrier(context)
        (self._provider,) = self.carrier.providers
        self._channel, self._address = channel.name, address

    async def send(self, number: int) -> None:
        """Render and send one message. Raises RuntimeError if it was not taken."""
        delivery = self._delivery(number)
        message = await self.carrier.render(delivery)
        deadline = asyncio.get_running_loop().time() + _PATIENCE_SECONDS
        outcome = await self._provider.send(message, key=f"{delivery.id}:0", deadline=deadline, claim=_claim)
        if not isinstance(outcome, Delivered):
            raise RuntimeError(f"not delivered: {outcome}")  # noqa: TRY004 - an outcome, not a wrong argument

    def _delivery(self, number: int) -> Delivery:
        now = datetime.now(UTC)
        return Delivery(
            id=f"dlv_{number:026}",
            notification_id=texts.notification_id(number),
            tenant="default",
            channel=self._channel,
            address=self._address(number),
            recipient=Person(id=f"customer-{number}", locale=texts.LOCALE),
            lane=Lane.NORMAL,
            category="orders",
            semantics="at_least_once",
            accepted_at=now,
            expires_at=now + timedelta(seconds=texts.LIFETIME_SECONDS),
            template=self._template,
            data=texts.data(number),
        )


def of_sms(port: int, _count: int, _directory: Path) -> Sending:
    """Return the channel `sms` with Twilio."""
    twilio = {
        "account_sid": texts.ACCOUNT,
        "auth_token": texts.AUTH_TOKEN,
        "sender": texts.SMS_SENDER,
        "base_url": f"http://127.0.0.1:{port}",
    }
    http = {"public_url": texts.PUBLIC_URL}
    return Sending(sms, {"http": http, "sms": {"routes": ["twilio"]}, "twilio": twilio}, texts.phone)


def of_fcm(port: int, _count: int, _directory: Path) -> Sending:
    """Return the channel `push` with FCM."""
    url = f"http://127.0.0.1:{port}"
    fcm = {"base_url": url, "token_url": f"{url}/token", "credentials": account.generate().document()}
    return Sending(push, {"fcm": fcm}, lambda number: f"fcm:{texts.fcm_token(number)}")


def of_apns(port: int, _count: int, directory: Path) -> Sending:
    """Return the channel `push` with APNs."""
    apns = {
        "base_url": f"https://127.0.0.1:{port}",
        "key_file": str(directory / "key.p8"),
        "ca_file": str(directory / "ca.pem"),
        "key_id": KEY_ID,
        "team_id": TEAM_ID,
        "topic": TOPIC,
    }
    return Sending(push, {"apns": apns}, lambda number: f"apns:{texts.apns_token(number)}")


def of_webpush(port: int, count: int, _directory: Path) -> Sending:
    """Return the channel `browser`."""
    addresses = [
        Subscription(endpoint=subscriptions.endpoint(port, number), **subscriptions.keys(number)).address
        for number in range(measure.WARM_UP + count)
    ]
    ours = {"private_endpoints": [f"127.0.0.1:{port}"]}
    webpush = {"vapid_key": subscriptions.VAPID_KEY, "subject": texts.SUBJECT}
    return Sending(browser, {"browser": ours, "webpush": webpush}, addresses.__getitem__)


def of_email(port: int, _count: int, _directory: Path) -> Sending:
    """Return the channel `email` with SMTP."""
    ours = {"host": "127.0.0.1", "port": port, "tls": "none", "sender": texts.SENDER}
    return Sending(email, {"email": ours}, texts.mail_address)


_MAKERS: Mapping[str, Callable[[int, int, Path], Sending]] = {
    "sms": of_sms,
    "fcm": of_fcm,
    "apns": of_apns,
    "webpush": of_webpush,
    "email": of_email,
}


async def _claim() -> None:
    """Nobody else wants these messages."""


async def _run(channel: str, port: int, count: int, directory: Path) -> None:
    sending = _MAKERS[channel](port, count, directory)
    await measure.in_flight(sending.send, count, most=_IN_FLIGHT_APNS if channel == "apns" else _IN_FLIGHT)
    await sending.carrier.aclose()


if __name__ == "__main__":
    uvloop.run(_run(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4])))
