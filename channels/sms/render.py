"""From a delivery to a text message: the template or the content it has. Or why there can be none."""

from channels.sms import phone, segments
from channels.sms.message import PART, Sms
from tocsin.delivery import Delivery
from tocsin.outcome import Rejected
from tocsin.templates.catalogue import Catalogue
from tocsin.templates.template import RenderFault
from tocsin.validation import Fault

# What Twilio takes in one message; Vonage takes more.
MOST_CHARACTERS = 1600


class Renderer:
    """Renders deliveries. Deterministic: the same delivery gives the same message."""

    def __init__(self, *, catalogue: Catalogue, max_segments: int, regions: frozenset[str]) -> None:
        self._catalogue = catalogue
        self._max_segments = max_segments
        self._regions = regions

    def render(self, delivery: Delivery) -> Sms | Rejected:
        """Return the message, or a rejection (scope `address` or `message`) that repeats nothing of either."""
        number = phone.parse(delivery.address, regions=self._regions)
        if isinstance(number, Fault):
            return Rejected(reason="invalid_address", scope="address", message=number.detail)
        text = self._text(delivery)
        if isinstance(text, Rejected):
            return text
        size = segments.measure(text)
        if not text:
            return Rejected(reason="no_content", scope="message", message="there is no text")
        if size.segments > self._max_segments or len(text) > MOST_CHARACTERS:
            detail = f"the text takes {size.segments} segments ({size.encoding}), at most {self._max_segments} may go"
            return Rejected(reason="too_many_segments", scope="message", message=detail)
        return Sms(
            to=number,
            text=text,
            encoding=size.encoding,
            segments=size.segments,
            delivery_id=delivery.id,
            notification_id=delivery.notification_id,
            tenant=delivery.tenant,
            expires_at=delivery.expires_at,
        )

    def _text(self, delivery: Delivery) -> str | Rejected:
        if delivery.template is None:
            return str((delivery.content or {}).get("text", "")).strip()
        template = self._catalogue.get(delivery.template.name, delivery.template.version)
        if template is None:
            detail = f"template {delivery.template.name} has no version {delivery.template.version} here"
            return Rejected(reason="template_missing", scope="message", message=detail)
        found = template.render(PART, delivery.recipient.locale, delivery.data)
        if isinstance(found, RenderFault):
            detail = f"template {found.template}: {found.detail}"
            return Rejected(reason="template_error", scope="message", message=detail[:512])
        # A file's line ends and its last empty lines are not part of the message.
        return found.replace("\r\n", "\n").strip()
