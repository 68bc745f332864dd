"""A mail that is ready to go: its envelope and its bytes."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """One message to one recipient. `data` has CRLF line ends; `size` is its length in octets (RFC 1870).

    `needs_smtputf8`: an address is outside ASCII, so the server must offer SMTPUTF8 (RFC 6531).
    """

    sender: str
    recipient: str
    data: bytes
    size: int
    needs_smtputf8: bool
