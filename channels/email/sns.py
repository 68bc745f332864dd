"""Messages of Amazon SNS: is one really from our topic? Each is signed with a certificate that lies at SNS.

Source: https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html
"""

import asyncio
import re
from base64 import b64decode
from collections.abc import Mapping
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.x509 import load_pem_x509_certificate

from channels.email.api import document, word
from tocsin.errors import SettingsError
from tocsin.net.http import HttpClient, NotSent, Request, Unanswered
from tocsin.web import problems

NOTIFICATION, CONFIRMATION = "Notification", "SubscriptionConfirmation"

_SIGNED = {
    NOTIFICATION: ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"),
    CONFIRMATION: ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
}
_HASHES: dict[str, hashes.HashAlgorithm] = {"1": hashes.SHA1(), "2": hashes.SHA256()}  # noqa: S303 - SNS's default
_TOPIC = re.compile(
    r"arn:aws(-cn|-us-gov)?:sns:(?P<region>[a-z]{2}(?:-[a-z]+)+-[0-9]{1,2}):[0-9]{12}:[A-Za-z0-9_-]{1,256}"
)
_CERTIFICATE = re.compile(r"SimpleNotificationService-[0-9a-f]{1,64}\.pem")
_CONFIRM = re.compile(r"\?Action=ConfirmSubscription&[!-~]{1,2000}")
_MOST_CERTIFICATES = 8
_SECONDS = 10.0
_OK = 200


def host_of(topic: str) -> str:
    """Return the URL of SNS where a topic is. Raises SettingsError for what is no topic's ARN."""
    found = _TOPIC.fullmatch(topic)
    if found is None:
        raise SettingsError("ses.sns_topic must be an ARN like arn:aws:sns:eu-central-1:123456789012:tocsin")
    china = ".cn" if found[1] == "-cn" else ""
    return f"https://sns.{found['region']}.amazonaws.com{china}"


class Sns:
    """Believes the messages of one topic. `url` is where SNS is: certificates come from there and nowhere else.

    Every method may raise ProblemError 503, so that SNS repeats, while SNS itself cannot be reached.
    """

    def __init__(self, topic: str, *, url: str, http: HttpClient) -> None:
        self._topic = topic
        self._url = url.rstrip("/") + "/"
        self._http = http
        self._keys: dict[str, RSAPublicKey] = {}
        self._fetching = asyncio.Lock()

    async def believed(self, raw: bytes) -> Mapping[str, Any] | None:
        """Return the message in a body, None if it is not signed, or not of our topic."""
        message = document(raw)
        signed = _SIGNED.get(word(message.get("Type")))
        algorithm = _HASHES.get(word(message.get("SignatureVersion")))
        # Anybody with an account at AWS has a topic whose messages are well signed.
        if signed is None or algorithm is None or word(message.get("TopicArn")) != self._topic:
            return None
        key = await self._key(word(message.get("SigningCertURL")))
        if key is None:
            return None
        given = {name: word(message[name]) for name in signed if message.get(name) is not None}
        lines = "".join(f"{name}\n{value}\n" for name, value in given.items())
        try:
            key.verify(b64decode(word(message.get("Signature")), validate=True), lines.encode(), PKCS1v15(), algorithm)
        except (InvalidSignature, ValueError):
            return None
        return message

    async def confirm(self, message: Mapping[str, Any]) -> bool:
        """Confirm the subscription that a message asks about; return whether it leads to SNS, as it must."""
        url = word(message.get("SubscribeURL"))
        if not url.startswith(self._url) or not _CONFIRM.fullmatch(url.removeprefix(self._url)):
            return False
        await self._get(url)
        return True

    async def _key(self, url: str) -> RSAPublicKey | None:
        if not url.startswith(self._url) or not _CERTIFICATE.fullmatch(url.removeprefix(self._url)):
            return None
        # Not behind the lock: what is made up must not keep waiting what is known.
        if (known := self._keys.get(url)) is not None:
            return known
        async with self._fetching:
            if url not in self._keys:
                if (key := _public_key(await self._get(url))) is None:
                    return None
                if len(self._keys) >= _MOST_CERTIFICATES:
                    del self._keys[next(iter(self._keys))]
                self._keys[url] = key
            return self._keys[url]

    async def _get(self, url: str) -> bytes:
        deadline = asyncio.get_running_loop().time() + _SECONDS
        try:
            answer = await self._http.send(Request(method="GET", url=url), deadline=deadline)
        except (NotSent, Unanswered):
            raise problems.unavailable("Amazon SNS cannot be reached.") from None
        if answer.status != _OK:
            raise problems.unavailable("Amazon SNS does not answer as it must.")
        return answer.body


def _public_key(pem: bytes) -> RSAPublicKey | None:
    try:
        key = load_pem_x509_certificate(pem).public_key()
    except ValueError:
        return None
    return key if isinstance(key, RSAPublicKey) else None
