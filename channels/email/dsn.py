"""Delivery status notifications: what a mail server tells of mail that it could not deliver (RFC 3464). Pure."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from channels.email import xtext
from channels.email.entity import Fields, fields, first

KINDS = frozenset({"message/delivery-status", "message/global-delivery-status"})

_MOST_BYTES = 256 * 1024
_MOST_RECIPIENTS = 20
_GROUPS = re.compile(rb"(?:\r?\n){2,}")
_STATUS = re.compile(r"[245]\.\d{1,3}\.\d{1,3}")
_REPLY = re.compile(r"\s*([245]\d\d)(?:[ -]|$)")
_TYPED = re.compile(r"\s*([A-Za-z0-9-]{1,32})\s*;\s*(.*)", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipient:
    """What is told of one recipient. `action` is in lower case; `status` and `code` are empty and 0 if not told.

    `addresses` are those that it may be about, the one that we sent to first.
    """

    action: str
    status: str
    code: int
    diagnostic: str = field(repr=False)
    addresses: tuple[str, ...] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusReport:
    """What is told of a message: the envelope id that we gave it, if any, and of each recipient."""

    envelope_id: str = field(repr=False)
    recipients: tuple[Recipient, ...]


def read(content: bytes) -> StatusReport:
    """Return the report in a part of such a kind."""
    groups = list(_groups(content))
    told = groups[0] if groups else {}
    return StatusReport(
        envelope_id=xtext.decode(first(told, "original-envelope-id").strip()),
        recipients=tuple(_recipient(group) for group in groups if "action" in group or "final-recipient" in group),
    )


def _groups(content: bytes) -> Iterator[Fields]:
    for group in _GROUPS.split(content[:_MOST_BYTES].strip(), _MOST_RECIPIENTS)[: _MOST_RECIPIENTS + 1]:
        yield fields(group)


def recipient(*, action: str, status: str, diagnostic: str, addresses: tuple[str, ...]) -> Recipient:
    """Return what is told of a recipient in these words: `diagnostic` is like `smtp; 550 5.1.1 no such user`."""
    words = _value(diagnostic)
    reply, found = _REPLY.match(words), _STATUS.search(status)
    return Recipient(
        # Behind it there may be a comment.
        action=action.partition("(")[0].strip().lower(),
        status=found[0] if found else "",
        code=int(reply[1]) if reply else 0,
        diagnostic=words[reply.end(1) :].strip() if reply else words,
        addresses=addresses,
    )


def _recipient(told: Fields) -> Recipient:
    names = ("original-recipient", "final-recipient", "x-actual-recipient")
    return recipient(
        action=first(told, "action"),
        status=first(told, "status"),
        diagnostic=first(told, "diagnostic-code"),
        addresses=tuple(address for name in names if (text := first(told, name)) for address in _readings(text)),
    )


def _readings(text: str) -> Iterator[str]:
    """Iterate over what an address may be: `a+2B@b` is either. Some write it as xtext, but Postfix undoes that."""
    plain = _value(text).strip("<> ")
    yield plain
    if (decoded := xtext.decode(plain)) != plain:
        yield decoded


def _value(text: str) -> str:
    """Return a value without its type: of `rfc822; a@b` it is `a@b`."""
    found = _TYPED.fullmatch(text)
    return found[2].strip() if found else text.strip()
