"""From a delivery to a text message: the template or the content it has. Or why there can be none."""

from collections.abc import Mapping
from typing import Any

from channels.sms import phone
from channels.sms.message import PART, Sms
from channels.sms.terms import Terms
from tocsin.delivery import Delivery
from tocsin.outcome import Rejected
from tocsin.templates.catalogue import Catalogue
from tocsin.templates.template import RenderFault, Template
from tocsin.validation import Fault


class Renderer:
    """Renders deliveries. Deterministic: the same delivery gives the same message."""

    def __init__(self, *, catalogue: Catalogue, terms: Terms, regions: frozenset[str]) -> None:
        self._catalogue = catalogue
        self._terms = terms
        self._regions = regions

    def render(self, delivery: Delivery) -> Sms | Rejected:
        """Return the message, or a rejection (scope `address` or `message`) that repeats nothing of either."""
        number = phone.parse(delivery.address, regions=self._regions)
        if isinstance(number, Fault):
            return Rejected(reason="invalid_address", scope="address", message=number.detail)
        text = self._text(delivery)
        if isinstance(text, Rejected):
            return text
        quote = self._terms.quote(number, text)
        if quote.refusal is not None:
            return quote.refusal
        return Sms(
            to=number,
            text=text,
            encoding=quote.encoding,
            cost=quote.cost,
            delivery_id=delivery.id,
            notification_id=delivery.notification_id,
            tenant=delivery.tenant,
            expires_at=delivery.expires_at,
        )

    def _text(self, delivery: Delivery) -> str | Rejected:
        if delivery.template is None:
            return plain(str((delivery.content or {}).get("text", "")))
        template = self._catalogue.get(delivery.template.name, delivery.template.version)
        if template is None:
            detail = f"template {delivery.template.name} has no version {delivery.template.version} here"
            return Rejected(reason="template_missing", scope="message", message=detail)
        found = filled(template, delivery.recipient.locale, delivery.data)
        if isinstance(found, RenderFault):
            detail = f"template {found.template}: {found.detail}"
            return Rejected(reason="template_error", scope="message", message=detail[:512])
        return found


def filled(template: Template, locale: str | None, data: Mapping[str, Any]) -> str | RenderFault:
    """Return the text that a template gives."""
    found = template.render(PART, locale, data)
    # A file's line ends and its last empty lines are not part of the message.
    return found if isinstance(found, RenderFault) else plain(found.replace("\r\n", "\n"))


def plain(text: str) -> str:
    """Return a text as it is sent, without the white space around it."""
    return text.strip()
