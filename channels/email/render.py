"""From a delivery to a mail: the template or the content it has, then its bytes. Or why there can be none."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from channels.email.address import Mailbox, parse
from channels.email.headers import Unsendable, encode_unsubscribe
from channels.email.mail import Mail, Parts
from channels.email.mime import Skeleton
from channels.email.unsubscribe import ONE_CLICK, VARIABLE, Links
from tocsin.delivery import Delivery
from tocsin.outcome import Rejected
from tocsin.templates.catalogue import Catalogue
from tocsin.templates.template import RenderFault, Template
from tocsin.validation import Fault

if TYPE_CHECKING:
    from channels.email.dkim import Signer

SUBJECT = "email.subject.txt"
TEXT = "email.text.txt"
HTML = "email.html"

# RFC 3834, as in the bytes.
_HEADERS = {"Auto-Submitted": "auto-generated"}


class Words(msgspec.Struct, frozen=True, kw_only=True):
    """What a mail says. At least one of `text` and `html` is there."""

    subject: str
    text: str | None
    html: str | None


class Renderer:
    """Renders deliveries for one sender. Deterministic: the same delivery gives the same bytes.

    `signer` signs them; `links` are those to unsubscribe, which templates have as a variable; `in_parts` adds the parts
    for providers that make the bytes themselves.
    """

    def __init__(
        self,
        *,
        catalogue: Catalogue,
        sender: Mailbox,
        return_path: str,
        message_id_domain: str,
        signer: "Signer | None" = None,
        links: Links | None = None,
        in_parts: bool = False,
    ) -> None:
        self._catalogue = catalogue
        self._sender = sender
        self._return_path = return_path
        self._signer = signer
        self._links = links
        self._in_parts = in_parts
        self._skeleton = Skeleton(sender=sender, message_id_domain=message_id_domain)

    def render(self, delivery: Delivery) -> Mail | Rejected:
        """Return the mail, or a rejection (scope `address` or `message`) that repeats nothing of either."""
        address = parse(delivery.address)
        if isinstance(address, Fault):
            return Rejected(reason="invalid_address", scope="address", message=address.detail)
        link = None if self._links is None else self._links.of(delivery)
        words = self._words(delivery, link)
        if isinstance(words, Rejected):
            return words
        try:
            data = self._skeleton.message(
                key=delivery.id,
                identity=(delivery.tenant, delivery.notification_id, address),
                date=delivery.accepted_at,
                to=address,
                subject=words.subject,
                text=words.text,
                html=words.html,
                files=delivery.attachments,
            )
            if link is not None:
                data = encode_unsubscribe(link) + data
        except Unsendable as refusal:
            return Rejected(reason="unsendable_content", scope="message", message=str(refusal))
        if self._signer is not None:
            data = self._signer.sign(data, delivery.accepted_at)
        return Mail(
            sender=self._return_path,
            recipient=address,
            data=data,
            size=len(data),
            needs_smtputf8=not all(map(str.isascii, (address, self._return_path, self._sender.address))),
            parts=self._parts(words, delivery, link) if self._in_parts else None,
            delivery_id=delivery.id,
            notification_id=delivery.notification_id,
            tenant=delivery.tenant,
        )

    def _parts(self, words: Words, delivery: Delivery, link: str | None) -> Parts:
        unsubscribe = {"List-Unsubscribe": f"<{link}>", "List-Unsubscribe-Post": "=".join(ONE_CLICK)} if link else {}
        return Parts(
            sender=self._sender,
            subject=words.subject,
            text=words.text,
            html=words.html,
            headers=_HEADERS | unsubscribe,
            files=delivery.attachments,
        )

    def _words(self, delivery: Delivery, link: str | None) -> Words | Rejected:
        if delivery.template is None:
            content = delivery.content or {}
            words = Words(subject=content.get("subject", ""), text=content.get("text"), html=content.get("html"))
            return words if words.text is not None or words.html is not None else _nothing_to_say()
        template = self._catalogue.get(delivery.template.name, delivery.template.version)
        if template is None:
            detail = f"template {delivery.template.name} has no version {delivery.template.version} here"
            return Rejected(reason="template_missing", scope="message", message=detail)
        data = delivery.data if link is None else {**delivery.data, VARIABLE: link}
        return _from_template(template, data, delivery.recipient.locale)


def _from_template(template: Template, data: Mapping[str, Any], wish: str | None) -> Words | Rejected:
    """Return the parts, all in the locale in which the subject exists: a mail is not half in one language."""
    locale = template.locale_for(SUBJECT, wish)
    if locale is None:
        return _broken(f"template {template.name} has no {SUBJECT}")
    rendered: dict[str, str] = {}
    for part in (SUBJECT, TEXT, HTML):
        if not template.has(part, locale):
            continue
        found = template.render(part, locale, data)
        if isinstance(found, RenderFault):
            return _broken(f"template {found.template}: {found.detail}")
        rendered[part] = found
    if TEXT not in rendered and HTML not in rendered:
        return _nothing_to_say()
    # A subject is one line; the file's line ends and indentation are not part of it.
    subject = " ".join(rendered[SUBJECT].split())
    return Words(subject=subject, text=rendered.get(TEXT), html=rendered.get(HTML))


def _nothing_to_say() -> Rejected:
    return Rejected(reason="no_content", scope="message", message="there is neither a text nor an HTML part")


def _broken(detail: str) -> Rejected:
    return Rejected(reason="template_error", scope="message", message=detail[:512])
