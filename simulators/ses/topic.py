"""An SNS topic: what it says is signed, with a certificate that can be had from it.

Source: https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html
"""

from base64 import b64encode
from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from fastapi import APIRouter, Request, Response

from simulators.mail.telling import Teller
from tocsin.clock import Clock, rfc3339
from tocsin.web.responses import Json

TOPIC = "arn:aws:sns:eu-central-1:000000000000:tocsin"
CERTIFICATE = "SimpleNotificationService-0.pem"

_SIGNED = ("Message", "MessageId", "SubscribeURL", "Subject", "Timestamp", "Token", "TopicArn", "Type")
_HEADERS = {"Content-Type": "text/plain; charset=UTF-8", "x-amz-sns-topic-arn": TOPIC}
_TOKEN = "2336412f37fb687f5d51e6e2425e00000000"  # noqa: S105 - it is to be seen by everybody
_DAY = timedelta(days=1)


class Place:
    """Where the topic is: SNS says it in each message, and a test has it at another port than the demo."""

    def __init__(self, url: str) -> None:
        self.url = url

    async def learn(self, request: Request) -> None:
        """Take the port from a request, whatever that is for."""
        self.url = f"{request.url.scheme}://{request.url.netloc}{urlsplit(self.url).path}"


class Topic:
    """One topic. `base` returns the URL that it is at, which is known once it is served. Version 2 is with SHA-256."""

    def __init__(self, clock: Clock, *, base: Callable[[], str], version: str = "2") -> None:
        self._clock = clock
        self._base = base
        self._version = version
        self.confirmed = False

    def notification(self, message: str) -> tuple[Mapping[str, str], bytes]:
        """Return a notification: its headers and its body."""
        return self._message("Notification", {"Message": message, "Subject": "Amazon SES Email Event Notification"})

    def confirmation(self) -> tuple[Mapping[str, str], bytes]:
        """Return the question whether somebody wants to be told."""
        url = f"{self._base()}?Action=ConfirmSubscription&TopicArn={TOPIC}&Token={_TOKEN}"
        given = {"Message": "You have chosen to subscribe to the topic.", "SubscribeURL": url, "Token": _TOKEN}
        return self._message("SubscriptionConfirmation", given)

    @property
    def certificate(self) -> bytes:
        """The certificate, as PEM."""
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sns.simulator.test")])
        now = self._clock.now()
        made = (
            x509.CertificateBuilder(issuer_name=name, subject_name=name, public_key=self._key.public_key())
            .serial_number(1)
            .not_valid_before(now - _DAY)
            .not_valid_after(now + _DAY)
        )
        return made.sign(self._key, hashes.SHA256()).public_bytes(Encoding.PEM)

    @cached_property
    def _key(self) -> rsa.RSAPrivateKey:
        return rsa.generate_private_key(public_exponent=65537, key_size=2048)

    def _message(self, kind: str, given: Mapping[str, str]) -> tuple[Mapping[str, str], bytes]:
        told: dict[str, Any] = {
            "Type": kind,
            "MessageId": str(UUID(int=0, version=4)),
            "TopicArn": TOPIC,
            "Timestamp": rfc3339(self._clock.now()),
            **given,
        }
        text = "".join(f"{name}\n{told[name]}\n" for name in _SIGNED if name in told)
        algorithm = hashes.SHA1() if self._version == "1" else hashes.SHA256()  # noqa: S303 - SNS's default
        told |= {
            "SignatureVersion": self._version,
            "Signature": b64encode(self._key.sign(text.encode(), PKCS1v15(), algorithm)).decode(),
            "SigningCertURL": self._base() + CERTIFICATE,
        }
        return {**_HEADERS, "x-amz-sns-message-type": kind}, msgspec.json.encode(told)


def router(topic: Topic, teller: Teller) -> APIRouter:
    """Return SNS's side, below `/sns/`, and the control of the subscription."""
    routes = APIRouter(tags=["ses simulator: the topic of its events"])

    @routes.get(f"/sns/{CERTIFICATE}")
    async def certificate() -> Response:
        """Return the certificate."""
        return Response(topic.certificate, media_type="text/plain")

    @routes.get("/sns/")
    async def confirm(Token: str = "") -> Response:  # noqa: N803 - its name at SNS
        """Take the answer to a confirmation."""
        topic.confirmed = topic.confirmed or Token == _TOKEN
        return Response("<ConfirmSubscriptionResponse/>", media_type="text/xml")

    @routes.post("/subscription")
    async def subscribe() -> Response:
        """Ask the endpoint whether it wants to be told."""
        topic.confirmed = False
        status = await teller.post(*topic.confirmation())
        return Json({"status": status, "confirmed": topic.confirmed})

    return routes
