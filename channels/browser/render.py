"""From a delivery to a message: the template or the content it has, for the service worker or the inbox of the page."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from channels.browser import base64url, endpoint
from channels.browser.encryption import MAX_PLAINTEXT
from channels.browser.endpoint import EndpointPolicy
from channels.browser.inbox_message import Letter, Owner, Shown, recipient_of
from channels.browser.message import Urgency, WebPush
from channels.browser.subscription import from_address
from tocsin.delivery import Delivery, Lane
from tocsin.outcome import Rejected
from tocsin.templates.catalogue import Catalogue
from tocsin.templates.template import RenderFault, Template

TITLE = "browser.title.txt"
BODY = "browser.body.txt"

# 24 bytes are 32 characters of base64url, the most that a topic may have.
_TOPIC_BYTES = 24
_URGENCY: dict[Lane, Urgency] = {Lane.HIGH: "high", Lane.NORMAL: "normal", Lane.BULK: "low"}
_encoder = msgspec.json.Encoder()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Payload:
    """What is shown, and the JSON for the service worker that it makes."""

    members: Mapping[str, Any]
    encoded: bytes


class Renderer:
    """Renders deliveries. Deterministic: encryption, which is not, comes with each attempt."""

    def __init__(self, *, catalogue: Catalogue, policy: EndpointPolicy) -> None:
        self._catalogue = catalogue
        self._policy = policy

    def render(self, delivery: Delivery) -> WebPush | Letter | Rejected:
        """Return the message, or a rejection (scope `address` or `message`) that repeats nothing of either."""
        recipient_id = recipient_of(delivery.address)
        return self._push(delivery) if recipient_id is None else self._letter(delivery, recipient_id)

    def _letter(self, delivery: Delivery, recipient_id: str) -> Letter | Rejected:
        shown = self._payload(delivery)
        if isinstance(shown, Rejected):
            return shown
        data = shown.members.get("data")
        return Letter(
            owner=Owner(delivery.tenant, recipient_id),
            notification_id=delivery.notification_id,
            delivery_id=delivery.id,
            shown=Shown(
                category=delivery.category,
                title=shown.members["title"],
                body=shown.members["body"],
                url=shown.members.get("url"),
                icon=shown.members.get("icon"),
                data=None if data is None else _encoder.encode(data).decode(),
            ),
        )

    def _push(self, delivery: Delivery) -> WebPush | Rejected:
        try:
            subscription = from_address(delivery.address)
        except ValueError as error:
            return Rejected(reason="invalid_address", scope="address", message=str(error))
        # Judged again: it was accepted under the settings of that time, which may have been narrowed since.
        detail = self._policy.fault(subscription.endpoint)
        origin = endpoint.origin_of(subscription.endpoint)
        if detail is not None or origin is None:
            return Rejected(reason="endpoint_refused", scope="address", message=f"the endpoint {detail}")
        shown = self._payload(delivery)
        if isinstance(shown, Rejected):
            return shown
        return WebPush(
            subscription=subscription,
            origin=f"{origin.scheme}://{origin.authority}",
            payload=shown.encoded,
            expires_at=delivery.expires_at,
            urgency=_URGENCY[delivery.lane],
            topic=topic(delivery.notification_id),
        )

    def _payload(self, delivery: Delivery) -> _Payload | Rejected:
        """Return what is shown. An inbox could hold more than a push can: but one notification is one size."""
        shown = self._shown(delivery)
        if isinstance(shown, Rejected):
            return shown
        encoded = _encoder.encode({"id": delivery.notification_id, **shown})
        if len(encoded) > MAX_PLAINTEXT:
            detail = f"the message has {len(encoded)} bytes of JSON, and at most {MAX_PLAINTEXT} can be sent"
            return Rejected(reason="message_too_large", scope="message", message=detail)
        return _Payload(members=shown, encoded=encoded)

    def _shown(self, delivery: Delivery) -> dict[str, Any] | Rejected:
        if delivery.template is None:
            content = delivery.content or {}
            return dict(content) if content.get("title") else _rejected("no_content", "there is no title")
        template = self._catalogue.get(delivery.template.name, delivery.template.version)
        if template is None:
            detail = f"template {delivery.template.name} has no version {delivery.template.version} here"
            return _rejected("template_missing", detail)
        return _from_template(template, delivery)


def topic(notification_id: str) -> str:
    """Return the topic of a notification: a hash, since push services see it."""
    return base64url.encode(hashlib.blake2b(notification_id.encode(), digest_size=_TOPIC_BYTES).digest())


def _from_template(template: Template, delivery: Delivery) -> dict[str, Any] | Rejected:
    """Return title and body, both in the locale in which the title exists."""
    locale = template.locale_for(TITLE, delivery.recipient.locale)
    if locale is None:
        return _rejected("template_error", f"template {template.name} has no {TITLE}")
    rendered: dict[str, Any] = {}
    for part, name in ((TITLE, "title"), (BODY, "body")):
        if not template.has(part, locale):
            continue
        found = template.render(part, locale, delivery.data)
        if isinstance(found, RenderFault):
            return _rejected("template_error", f"template {found.template}: {found.detail}")
        # A title is one line; the file's line ends and indentation are not part of it.
        rendered[name] = " ".join(found.split()) if part == TITLE else found.strip()
    if not rendered["title"]:
        return _rejected("no_content", "the title is empty")
    return {"body": "", **rendered}


def _rejected(reason: str, detail: str) -> Rejected:
    return Rejected(reason=reason, scope="message", message=detail[:512])
