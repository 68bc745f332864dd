"""A mail that is ready to go: its envelope, its bytes, and its parts for providers that make the bytes themselves."""

from collections.abc import Mapping

import msgspec

from channels.email.address import Mailbox
from tocsin.delivery import Attachment


class Parts(msgspec.Struct, frozen=True, kw_only=True):
    """What a mail is made of. `text` or `html` is there; a text that is not is derived. `headers` are further ones."""

    sender: Mailbox
    subject: str
    text: str | None
    html: str | None
    headers: Mapping[str, str]
    files: tuple[Attachment, ...]


class Mail(msgspec.Struct, frozen=True, kw_only=True):
    """One message to one recipient. `data` has CRLF line ends; `size` is its length in octets (RFC 1870).

    `needs_smtputf8`: an address is outside ASCII, so the server must offer SMTPUTF8 (RFC 6531). `parts` are there if a
    provider wants them. `delivery_id`, `notification_id` and `tenant` say whose it is. `envelope_id` is what reports
    about it repeat (ENVID, RFC 3461); where there is one, such reports are asked for.
    """

    sender: str
    recipient: str
    data: bytes
    size: int
    needs_smtputf8: bool
    parts: Parts | None = None
    delivery_id: str = ""
    notification_id: str = ""
    tenant: str = ""
    envelope_id: str | None = None
