"""From a delivery to a push: the template or the content it has, for the device of its address."""

from dataclasses import dataclass

import msgspec

from channels.push import device
from channels.push.message import Push
from tocsin.delivery import Delivery, Lane
from tocsin.outcome import Rejected
from tocsin.templates.catalogue import Catalogue
from tocsin.templates.template import RenderFault, Template

TITLE = "push.title.txt"
BODY = "push.body.txt"
ID_KEY = "tocsin_notification_id"
# FCM and APNs alike take no more, keys included.
MOST_BYTES = 4096


class Words(msgspec.Struct, frozen=True, kw_only=True):
    """What a push says, in the form whose bytes are counted."""

    title: str
    body: str
    data: dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Renderer:
    """Renders deliveries for the services in `providers`. Deterministic: the same delivery gives the same push."""

    catalogue: Catalogue
    providers: frozenset[str]
    urgent_lanes: frozenset[Lane]

    def render(self, delivery: Delivery) -> Push | Rejected:
        """Return the push, or a rejection that repeats nothing of its address or content."""
        provider, token = device.parse(delivery.address)
        if provider not in self.providers:
            detail = "the push service of this device is not configured"
            return Rejected(reason="no_provider", scope="address", message=detail)
        words = self._words(delivery)
        if isinstance(words, Rejected):
            return words
        try:
            size = len(msgspec.json.encode(words))
        except UnicodeEncodeError:
            return Rejected(reason="unsendable_content", scope="message", message="the text is no valid Unicode")
        if size > MOST_BYTES:
            detail = f"the push has {size} bytes; the push services take at most {MOST_BYTES}"
            return Rejected(reason="too_large", scope="message", message=detail)
        return Push(
            provider=provider,
            token=token,
            title=words.title,
            body=words.body,
            data=words.data,
            collapse_id=delivery.notification_id,
            priority="high" if delivery.lane in self.urgent_lanes else "normal",
            notification_id=delivery.notification_id,
            accepted_at=delivery.accepted_at,
            expires_at=delivery.expires_at,
        )

    def _words(self, delivery: Delivery) -> Words | Rejected:
        data = {ID_KEY: delivery.notification_id}
        if delivery.template is None:
            content = delivery.content or {}
            title, body = content.get("title", ""), content.get("body", "")
            if not title and not body:
                return Rejected(reason="no_content", scope="message", message="there is neither a title nor a body")
            return Words(title=title, body=body, data=content.get("data", {}) | data)
        template = self.catalogue.get(delivery.template.name, delivery.template.version)
        if template is None:
            detail = f"template {delivery.template.name} has no version {delivery.template.version} here"
            return Rejected(reason="template_missing", scope="message", message=detail)
        return _from_template(template, delivery, data)


def _from_template(template: Template, delivery: Delivery, data: dict[str, str]) -> Words | Rejected:
    """Return both parts in the locale in which the title exists: a push is not half in one language."""
    locale = template.locale_for(TITLE, delivery.recipient.locale)
    if locale is None:
        return _broken(f"template {template.name} has no {TITLE}")
    if not template.has(BODY, locale):
        return _broken(f"template {template.name} has no {locale}/{BODY}")
    rendered: list[str] = []
    for part in (TITLE, BODY):
        found = template.render(part, locale, delivery.data)
        if isinstance(found, RenderFault):
            return _broken(f"template {found.template}: {found.detail}")
        rendered.append(found)
    title, body = rendered
    # A title is one line; the files' line ends are not part of what they say.
    return Words(title=" ".join(title.split()), body=body.strip(), data=data)


def _broken(detail: str) -> Rejected:
    return Rejected(reason="template_error", scope="message", message=detail[:512])
